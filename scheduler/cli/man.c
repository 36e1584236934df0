/* drover-man PAGE FILE: writes drover(1) or drover.conf(5). Runs at build time. */
#include <stdio.h>
#include <string.h>

#include "args.h"
#include "drover/doctor.h"
#include "man.h"

void man_text(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '\\': fputs("\\e", stdout); break;
		case '-': fputs("\\-", stdout); break;
		case '\'': fputs("\\(aq", stdout); break;
		default: putchar(*text);
		}
	}
}

void man_term(const char *term, const char *arguments)
{
	fputs(".TP\n\\fB", stdout);
	man_text(term);
	fputs("\\fR", stdout);
	if (arguments != NULL && arguments[0] != '\0') {
		fputs(" \\fI", stdout);
		man_text(arguments);
		fputs("\\fR", stdout);
	}
	putchar('\n');
}

void man_paragraph(const char *text)
{
	puts(".PP");
	man_text(text);
	putchar('\n');
}

void man_section(const char *title)
{
	printf(".SH %s\n", title);
}

static void option_term(const struct option *option)
{
	char term[64];

	snprintf(term, sizeof term, "%c%c%s--%s", option->letter != 0 ? '-' : ' ', option->letter != 0 ? option->letter : ' ',
		option->letter != 0 ? ", " : "", option->name);
	man_term(term + (option->letter != 0 ? 0 : 2), option->argument);
	man_text(option->help);
	putchar('\n');
}

static void commands(void)
{
	const struct command *command;
	size_t i;

	man_section("COMMANDS");
	for (command = cli_commands; command->name != NULL; command++) {
		man_term(command->name, command->arguments);
		man_text(command->help);
		puts(".");
		if (command->example != NULL) {
			puts("Example:\n.br");
			man_text(command->example);
			putchar('\n');
		}
		puts(".RS");
		for (i = 0; cli_options[i].name != NULL; i++)
			if (!cli_options[i].is_for_all && command_takes(command, &cli_options[i]))
				option_term(&cli_options[i]);
		puts(".RE");
	}
}

static void options(void)
{
	size_t i;

	man_section("OPTIONS");
	man_paragraph("They may stand before or after the command. Those of a single command are told with it.");
	for (i = 0; cli_options[i].name != NULL; i++)
		if (cli_options[i].is_for_all)
			option_term(&cli_options[i]);
}

static void exit_codes(void)
{
	char number[16];
	size_t i;

	man_section("EXIT STATUS");
	for (i = 0; cli_exit_codes[i].meaning != NULL; i++) {
		snprintf(number, sizeof number, "%d", (int)cli_exit_codes[i].code);
		man_term(number, NULL);
		man_text(cli_exit_codes[i].meaning);
		putchar('\n');
	}
}

static void checks(void)
{
	enum check_id check;

	man_section("CHECKS");
	man_paragraph("doctor makes these, in this order. An error makes moves fail or harms guests, and the exit status is 4; a warning "
		      "may. A check that lacks a fact is \"not checked\", never well; one whose ground has failed is left out, so that one mistake "
		      "gives one finding. What only the host itself can tell is asked by the shell of its [host] section.");
	for (check = 0; check < CHECK_COUNT; check++) {
		const struct check_info *info = check_info(check);

		man_term(info->name, NULL);
		man_text(info->title);
		printf(" (%s, %s). Looked at: ", check_scope_name(info->scope), finding_level_name(info->level));
		man_text(info->how);
		puts(". If not:");
		man_text(info->hint);
		puts(".");
	}
}

static void errors(void)
{
	int code;

	man_section("CODES");
	man_paragraph("Every refusal, failure and wait has a code, which stands in the JSON and CSV forms of the output. In parentheses is "
		      "the exit status of a command that ends with it.");
	for (code = ERR_NONE + 1; code < ERROR_CODE_COUNT; code++) {
		const char *hint = error_code_hint((enum error_code)code);

		man_term(error_code_name((enum error_code)code), NULL);
		man_text(error_code_summary((enum error_code)code));
		printf(" (%d)", (int)error_exit_code((enum error_code)code));
		if (hint[0] != '\0') {
			fputs("; ", stdout);
			man_text(hint);
		}
		putchar('\n');
	}
}

static void drover_page(void)
{
	puts(".TH DROVER 1 \"\" \"drover " DROVER_VERSION "\" \"User Commands\"");
	man_section("NAME");
	puts("drover \\- empty hosts of running libvirt guests, without downtime and without shared storage");
	man_section("SYNOPSIS");
	puts(".B drover\n[\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR] [\\fIOPTIONS\\fR]");
	man_section("DESCRIPTION");
	man_paragraph("drover moves running guests between hosts with libvirt: away from a host that needs maintenance, back again, or "
		      "by a list. It plans who goes where and when, shows the plan, asks, and runs it as fast as the measured bandwidth "
		      "allows. What it is about to do stands in the state file before it is done: after an interruption or a crash the "
		      "same command finds the moves that go on, and finishes the batch.");
	man_paragraph("Every command that moves guests shows its plan first and asks. Ctrl-C starts no further move and lets the "
		      "running ones end; it never abandons one. A run outlives its terminal: the hangup signal (SIGHUP) stops nothing, and "
		      "has the configuration read again, whose limits hold from then on; a wrong one changes nothing. From another "
		      "terminal watch, throttle, pause and cancel reach the run.");
	commands();
	options();
	exit_codes();
	checks();
	errors();
	man_section("FILES");
	man_term("/etc/drover/drover.conf", NULL);
	puts("the configuration; see \\fBdrover.conf\\fR(5)");
	man_term("/var/lib/drover/drover.db", NULL);
	puts("the state file; beside it stand the lock (.lock) and the control socket (.sock) of the drover that runs");
	man_section("SEE ALSO");
	puts(".BR drover.conf (5),\n.BR virsh (1)");
}

int main(int argc, char **argv)
{
	void (*write_page)(void) = NULL;

	if (argc == 3 && strcmp(argv[1], "drover.1") == 0)
		write_page = drover_page;
	if (argc == 3 && strcmp(argv[1], "drover.conf.5") == 0)
		write_page = man_conf_page;
	if (write_page == NULL) {
		fputs("usage: drover-man drover.1|drover.conf.5 FILE\n", stderr);
		return EXIT_USAGE;
	}
	if (freopen(argv[2], "w", stdout) == NULL) {
		perror(argv[2]);
		return EXIT_FAILED;
	}
	write_page();
	return fclose(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}
