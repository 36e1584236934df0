/* What a host's shell is asked for its counters. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "traffic.h"

static void a_shell_is_asked_for_each_address_in_order(void **state)
{
	char *addresses[] = {(char[]){"10.8.0.1/24"}, (char[]){"fd00::1"}};
	char *command = traffic_by_shell("ssh -o BatchMode=yes root@h1", addresses, 2);

	(void)state;
	assert_non_null(strstr(command, "for a in 10.8.0.1 fd00::1; do"));
	assert_non_null(strstr(command, "| ssh -o BatchMode=yes root@h1 sh -s"));
	free(command);
}

/* The command is run here with a shell that is this machine's: loopback has counters everywhere. */
static void what_it_prints_is_two_numbers_a_line(void **state)
{
	char *addresses[] = {(char[]){"127.0.0.1/8"}, (char[]){"127.0.0.1"}};
	char *command = traffic_by_shell("", addresses, 2), line[200];
	unsigned long long received, sent;
	FILE *out;
	int i;

	(void)state;
	if (system("command -v ip >/dev/null && ip -o addr show to 127.0.0.1 | grep -q inet") != 0) {
		free(command);
		skip();
	}
	out = popen(command, "r");
	for (i = 0; i < 2; i++) {
		assert_non_null(fgets(line, sizeof line, out));
		assert_int_equal(sscanf(line, "%llu %llu", &received, &sent), 2);
	}
	assert_null(fgets(line, sizeof line, out));
	assert_int_equal(pclose(out), 0);
	free(command);
}

static void what_is_no_address_is_not_sent_to_a_shell(void **state)
{
	char *bad[] = {(char[]){"10.8.0.1"}, (char[]){"$(reboot)"}};

	(void)state;
	assert_null(traffic_by_shell("ssh h1", bad, 2));
	assert_null(traffic_by_shell("ssh h1", bad, 0));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_shell_is_asked_for_each_address_in_order),
	cmocka_unit_test(what_it_prints_is_two_numbers_a_line),
	cmocka_unit_test(what_is_no_address_is_not_sent_to_a_shell),
};

TEST_MAIN(tests)
