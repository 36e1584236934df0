/* Batch files: what spreadsheets write is read, and every mistake is named at once. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "drover/config.h"
#include "scratch.h"

static struct problems problems;

static int clean_up(void **state)
{
	(void)state;
	scratch_clear();
	problems_clear(&problems);
	return 0;
}

static struct request *read_text(const char *text, size_t n)
{
	char *path = scratch_path("moves.csv");
	FILE *file = fopen(path, "w");
	struct request *request;

	assert_non_null(file);
	fwrite(text, 1, n, file);
	fclose(file);
	problems_clear(&problems);
	request = batch_read(path, &problems);
	free(path);
	return request;
}

static struct request *read_good(const char *text)
{
	struct request *request = read_text(text, strlen(text));

	if (request == NULL)
		fail_msg("refused: %s", problems.errors[0].message);
	return request;
}

static void assert_mistake(const char *text, size_t n, const char *first, const char *second)
{
	if (read_text(text, n) != NULL)
		fail_msg("accepted: %s", text);
	for (size_t i = 0; problems.n != 1 && i < problems.n; i++)
		print_error("%s\n", problems.errors[i].message);
	assert_int_equal(problems.n, 1);
	if (strstr(problems.errors[0].message, first) == NULL || strstr(problems.errors[0].message, second) == NULL)
		fail_msg("\"%s\" does not say \"%s\" and \"%s\"", problems.errors[0].message, first, second);
}

#define MISTAKE(text, first, second) assert_mistake(text, strlen(text), first, second)

static void columns_may_stand_in_any_order_with_quotes_and_comments(void **state)
{
	struct request *request = read_good("\xef\xbb\xbf# racks 4 and 5\r\n\r\nto,VM,priority,network_map,pool_map,max_rate,not_before\r\n"
		"h2, \"Web, \"\"1\"\"\" ,7,br-A:br-B;br-C:br-D,target:vda:fast,10 MB/s,2026-11-23T22:00:00Z\r\n,web2,,,,,\r\n");

	(void)state;
	assert_int_equal(request->kind, REQUEST_BATCH);
	assert_int_equal(request->n_moves, 2);
	assert_string_equal(request->moves[0].guest, "Web, \"1\"");
	assert_string_equal(request->moves[0].to, "h2");
	assert_int_equal(request->moves[0].priority, 7);
	assert_int_equal(request->moves[0].n_nets, 2);
	assert_string_equal(request->moves[0].nets[1].to, "br-D");
	assert_string_equal(request->moves[0].pools[0].from, "target:vda");
	assert_int_equal(request->moves[0].max_rate_bytes_per_s, 10000000);
	assert_true(request->moves[0].not_before_wall_ms > 1700000000000);
	assert_non_null(strstr(request->moves[0].where, "moves.csv line 4"));
	assert_null(request->moves[1].to);
	request_free(request);
}

static void a_line_says_what_becomes_of_a_guest_that_cannot_move(void **state)
{
	struct request *request = read_good("vm,cannot_move\nweb1,cold\nweb2,leave\nweb3,\n");

	(void)state;
	assert_int_equal(request->moves[0].cannot_move, CANNOT_MOVE_COLD);
	assert_int_equal(request->moves[1].cannot_move, CANNOT_MOVE_LEAVE);
	assert_int_equal(request->moves[2].cannot_move, CANNOT_MOVE_UNSAID);
	request_free(request);
	MISTAKE("vm,cannot_move\nweb1,later\n", "moves.csv:2: cannot_move", "leave, shutdown or cold");
}

static void a_guest_named_twice_is_refused_with_both_lines(void **state)
{
	(void)state;
	MISTAKE("vm,to\nweb1,h1\nweb2,h1\nweb1,h2\n", "guest web1 is named twice", "moves.csv line 2 and");
	assert_int_equal(problems.errors[0].code, ERR_DUPLICATE_GUEST);
	assert_non_null(strstr(problems.errors[0].message, "line 4"));
}

static void headers_are_checked(void **state)
{
	(void)state;
	MISTAKE("vm,too\nweb1,h1\n", "moves.csv:1: unknown column \"too\"", "did you mean to?");
	MISTAKE("vm,vm\nweb1,h1\n", "moves.csv:1:", "stands twice");
	MISTAKE("to,from\nh1,h2\n", "moves.csv:1:", "vm among them");
	MISTAKE("", "is empty", "columns");
	MISTAKE("vm,to\n# nothing\n", "no moves", "header");
}

static void rows_are_checked_like_move_sections(void **state)
{
	static const char nul[] = "vm\nweb\0one\n";

	(void)state;
	MISTAKE("vm,to\nweb1\n", "moves.csv:2:", "1 fields, the header 2");
	MISTAKE("vm,to\n,h1\n", "moves.csv:2:", "vm is empty");
	MISTAKE("vm,priority\nweb1,high\n", "moves.csv:2: priority", "whole number");
	MISTAKE("vm,max_rate\nweb1,100\n", "moves.csv:2: max_rate", "unit");
	MISTAKE("vm,not_before\nweb1,tomorrow\n", "moves.csv:2: not_before", "2026");
	MISTAKE("vm,pool_map\nweb1,fast\n", "moves.csv:2: pool_map", "OLD:NEW");
	MISTAKE("vm,to\n\"web1,h1\n", "moves.csv:2:", "not closed");
	MISTAKE("vm,to\nwe\"b1,h1\n", "moves.csv:2:", "middle");
	MISTAKE("vm,to\n\"web1\"x,h1\n", "moves.csv:2:", "after the closing quote");
	MISTAKE("vm\nw\xe9" "b\n", "moves.csv:2:", "UTF-8");
	assert_mistake(nul, sizeof nul - 1, "moves.csv:2:", "NUL");
}

static void all_mistakes_are_reported_at_once_and_counted_when_too_many(void **state)
{
	char *text = malloc(200000);
	size_t n;

	(void)state;
	assert_null(read_text("vm,priority\na,x\nb,y,z\n,1\n", 24));
	assert_int_equal(problems.n, 3);
	n = (size_t)sprintf(text, "vm,priority\n");
	for (int i = 0; i < 10000; i++)
		n += (size_t)sprintf(text + n, "g%d,x\n", i);
	assert_null(read_text(text, n));
	assert_true(problems.n < 300);
	assert_non_null(strstr(problems.errors[problems.n - 1].message, "more mistakes"));
	free(text);
}

static void sizes_are_bounded(void **state)
{
	size_t n = BATCH_FILE_MAX + 10;
	char *text = malloc(n + 1);

	(void)state;
	memset(text, 'a', n);
	memcpy(text, "vm\n", 3);
	text[n] = '\0';
	assert_mistake(text, n, "longer than 16 MiB", "split");
	assert_int_equal(problems.errors[0].code, ERR_LIMIT);
	assert_mistake(text, 80000, "moves.csv:2: the line has", "65536");
	free(text);
}

static void an_ini_file_is_a_batch_too(void **state)
{
	struct request *request = read_good("# by hand\n[batch racks]\nreason = new racks\nmap = m\n[map m]\npools = images:fast\n"
		"[move 1]\nvm = Web1\nto = h2\n[move 2]\nvm = Web2\n");

	(void)state;
	assert_int_equal(request->n_moves, 2);
	assert_string_equal(request->name, "racks");
	assert_string_equal(request->reason, "new racks");
	assert_string_equal(request->pools[0].to, "fast");
	request_free(request);
	request = read_good("[move 1]\nvm = Web1\n");
	assert_int_equal(request->n_moves, 1);
	request_free(request);
	MISTAKE("[host h1]\nuri = test:///default\n[move 1]\nvm = a\n", "moves.csv:1:", "[batch], [move] and [map] only");
	MISTAKE("[batch a]\n[batch b]\n[move 1]\nvm = x\nbatch = a\n[move 2]\nvm = y\nbatch = b\n", "2 batches", "one");
	MISTAKE("[move 1]\nvm = a\n[move 2]\nvm = a\n", "named twice", "line 3");
}

static void a_missing_file_and_a_folder_are_named(void **state)
{
	(void)state;
	assert_null(batch_read("/nonexistent.csv", &problems));
	assert_int_equal(problems.errors[0].code, ERR_FILE);
	problems_clear(&problems);
	assert_null(batch_read("/tmp", &problems));
	assert_non_null(strstr(problems.errors[0].message, "directory"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(columns_may_stand_in_any_order_with_quotes_and_comments, clean_up),
		cmocka_unit_test_teardown(a_line_says_what_becomes_of_a_guest_that_cannot_move, clean_up),
		cmocka_unit_test_teardown(a_guest_named_twice_is_refused_with_both_lines, clean_up),
		cmocka_unit_test_teardown(headers_are_checked, clean_up),
		cmocka_unit_test_teardown(rows_are_checked_like_move_sections, clean_up),
		cmocka_unit_test_teardown(all_mistakes_are_reported_at_once_and_counted_when_too_many, clean_up),
		cmocka_unit_test_teardown(sizes_are_bounded, clean_up),
		cmocka_unit_test_teardown(an_ini_file_is_a_batch_too, clean_up),
		cmocka_unit_test_teardown(a_missing_file_and_a_folder_are_named, clean_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
