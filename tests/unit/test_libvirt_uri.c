/* What URIs say about authentication, without a libvirt. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "check.h"
#include "libvirt_uri.h"

/* Compares and frees. */
static void assert_text(char *text, const char *expected)
{
	assert_string_equal(text, expected);
	free(text);
}

static void plain_tcp_demands_sasl_unless_it_is_said_to_be_insecure(void **state)
{
	(void)state;
	assert_int_equal(lv_transport_of("qemu+tcp://h1/system", false), LV_SASL);
	assert_int_equal(lv_transport_of("qemu+tcp://h1/system", true), LV_PLAIN);
	assert_text(lv_uri_own("qemu+tcp://h1/system", false), "qemu+tcp://h1/system?auth=sasl");
	assert_text(lv_uri_peer("qemu+tcp://h1/system", false), "qemu+tcp://h1/system?auth=sasl");
	assert_text(lv_uri_own("qemu+tcp://h1/system", true), "qemu+tcp://h1/system");
}

static void a_way_of_sasl_that_is_given_stays(void **state)
{
	(void)state;
	assert_text(lv_uri_own("qemu+tcp://h1/system?auth=sasl.gssapi", false), "qemu+tcp://h1/system?auth=sasl.gssapi");
	assert_text(lv_uri_own("qemu+tcp://h1/system?authority=x", false), "qemu+tcp://h1/system?authority=x&auth=sasl");
	assert_int_equal(lv_transport_of("qemu+tcp://h1/system?auth=sasl", true), LV_SASL);
}

static void ssh_asks_nothing_on_a_terminal(void **state)
{
	(void)state;
	assert_int_equal(lv_transport_of("qemu+ssh://root@h1:2222/system", false), LV_SSH);
	assert_text(lv_uri_own("qemu+ssh://root@h1:2222/system", false), "qemu+ssh://root@h1:2222/system?no_tty=1");
	assert_text(lv_uri_own("qemu+ssh://h1/system?no_tty=0", false), "qemu+ssh://h1/system?no_tty=0");
}

static void other_hosts_are_not_sent_to_files_of_this_machine(void **state)
{
	(void)state;
	assert_text(lv_uri_own("qemu+tls://h1/system?pkipath=/root/pki", false), "qemu+tls://h1/system?pkipath=/root/pki");
	assert_text(lv_uri_peer("qemu+tls://h1/system?pkipath=/root/pki", false), "qemu+tls://h1/system");
	assert_text(lv_uri_peer("qemu+ssh://h1/system?keyfile=/root/key&socket=/s", false), "qemu+ssh://h1/system?socket=/s&no_tty=1");
}

static void what_is_local_or_no_libvirt_host_stays_as_it_is(void **state)
{
	(void)state;
	assert_int_equal(lv_transport_of("qemu:///system", false), LV_LOCAL);
	assert_int_equal(lv_transport_of("test:///default", false), LV_LOCAL);
	assert_int_equal(lv_transport_of("qemu+unix:///system?socket=/s", false), LV_LOCAL);
	assert_text(lv_uri_own("qemu:///system", false), "qemu:///system");
	assert_text(lv_uri_peer("test:///default", false), "test:///default");
}

static void a_host_without_a_transport_is_reached_by_tls(void **state)
{
	(void)state;
	assert_int_equal(lv_transport_of("qemu://h1/system", false), LV_TLS);
	assert_int_equal(lv_transport_of("qemu+tls://h1/system", true), LV_TLS);
}

static void an_address_is_tried_at_the_port_of_the_transport(void **state)
{
	(void)state;
	assert_text(lv_uri_at("qemu+tls://h1/system", "10.8.0.1"), "qemu+tls://10.8.0.1/system");
	assert_text(lv_uri_at("qemu+tls://h1:16555/system", "10.8.0.1"), "qemu+tls://10.8.0.1:16555/system");
	assert_text(lv_uri_at("qemu+tcp://h1/system?auth=sasl", "fd00::1"), "qemu+tcp://[fd00::1]/system");
	assert_text(lv_uri_at("qemu+ssh://h1:2222/system", "10.8.0.1"), "qemu+tcp://10.8.0.1/system");
}

static void the_name_of_the_host_is_the_one_that_certificates_bear(void **state)
{
	(void)state;
	assert_text(lv_uri_host("qemu+tls://user@h1.example.com:16514/system"), "h1.example.com");
	assert_text(lv_uri_host("qemu+tls://[fd00::1]/system"), "fd00::1");
	assert_null(lv_uri_host("qemu:///system"));
}

static void who_logs_in_by_ssh_and_with_which_key_is_read_from_the_uri(void **state)
{
	(void)state;
	assert_text(lv_uri_login("qemu+ssh://root@h1/system"), "root@h1");
	assert_text(lv_uri_login("qemu+ssh://h1/system"), "h1");
	assert_null(lv_uri_login("qemu:///system"));
	assert_text(lv_uri_parameter("qemu+ssh://h1/system?no_tty=1&keyfile=/k/id", "keyfile"), "/k/id");
	assert_null(lv_uri_parameter("qemu+ssh://h1/system?keyfiles=/k/id", "keyfile"));
	assert_null(lv_uri_parameter("qemu+ssh://h1/system", "keyfile"));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(plain_tcp_demands_sasl_unless_it_is_said_to_be_insecure),
	cmocka_unit_test(a_way_of_sasl_that_is_given_stays),
	cmocka_unit_test(ssh_asks_nothing_on_a_terminal),
	cmocka_unit_test(other_hosts_are_not_sent_to_files_of_this_machine),
	cmocka_unit_test(what_is_local_or_no_libvirt_host_stays_as_it_is),
	cmocka_unit_test(a_host_without_a_transport_is_reached_by_tls),
	cmocka_unit_test(an_address_is_tried_at_the_port_of_the_transport),
	cmocka_unit_test(the_name_of_the_host_is_the_one_that_certificates_bear),
	cmocka_unit_test(who_logs_in_by_ssh_and_with_which_key_is_read_from_the_uri),
};

TEST_MAIN(tests)
