/* What a host's list of connections says about the way of a move; and shells that fail. */
#include <signal.h>
#include <string.h>

#include "check.h"
#include "path_command.h"

static const char connections[] =
	"0      0          10.83.1.1:51000     10.83.2.2:22\n"
	"\t cubic bytes_sent:99999999 bytes_acked:99999999\n"
	"ESTAB  0      2621440    10.83.2.1:38536     10.83.2.2:49153 \n"
	"\t cubic wscale:7,7 rto:204 bytes_sent:5242880 bytes_acked:4000000 segs_out:2\n"
	"0      0          10.83.1.1:40000     10.83.2.2:16514\n"
	"\t cubic bytes_sent:77777777\n"
	"0      0   [::ffff:10.83.1.1]:40002   [::ffff:10.83.2.2]:49152\n"
	"\t cubic bytes_acked:900000\n"
	"0      0          10.83.2.1:40004     10.83.2.3:49152\n"
	"\t cubic bytes_sent:88888888\n";

static void the_connection_that_carried_most_to_the_address_counts(void **state)
{
	struct hv_path path;

	(void)state;
	path_command_read(connections, "10.83.2.2", &path);
	assert_string_equal(path.source_address, "10.83.2.1");
	assert_int_equal(path.bytes, 5242880);
}

static void talk_between_libvirts_is_no_move(void **state)
{
	struct hv_path path;

	(void)state;
	path_command_read("0 0 10.83.1.1:40000 10.83.2.2:16514\n\t bytes_sent:77777777\n0 0 10.83.1.1:40000 10.83.2.2:49152\n\t bytes_sent:6553\n",
		"10.83.2.2", &path);
	assert_string_equal(path.source_address, "");
	path_command_read("no connections here\n\n", "10.83.2.2", &path);
	assert_string_equal(path.source_address, "");
}

static void addresses_of_both_families_are_understood(void **state)
{
	struct hv_path path;

	(void)state;
	path_command_read("0 0 [::ffff:10.83.1.1]:40002 [::ffff:10.83.2.2]:49152\n\t bytes_acked:900000\n", "10.83.2.2", &path);
	assert_string_equal(path.source_address, "10.83.1.1");
	assert_int_equal(path.bytes, 900000);
	path_command_read("0 0 [fd00::1]:40002 [fd00::2]:49152\n\t bytes_sent:900000\n", "fd00::2", &path);
	assert_string_equal(path.source_address, "fd00::1");
}

static void a_shell_that_fails_or_is_not_there_is_an_error_with_the_reason(void **state)
{
	struct hv_path path;
	struct error err;

	(void)state;
	signal(SIGPIPE, SIG_IGN); /* as drover does */
	assert_refused(path_command_run("h1", "false", "10.8.0.2", &path, &err), err, ERR_FILE);
	assert_non_null(strstr(err.message, "exit code 1"));
	assert_refused(path_command_run("h1", NULL, "10.8.0.2", &path, &err), err, ERR_UNSUPPORTED);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_connection_that_carried_most_to_the_address_counts),
	cmocka_unit_test(talk_between_libvirts_is_no_move),
	cmocka_unit_test(addresses_of_both_families_are_understood),
	cmocka_unit_test(a_shell_that_fails_or_is_not_there_is_an_error_with_the_reason),
};

TEST_MAIN(tests)
