/* drover.conf(5), from the table of options. Apart from man.c because both tables call their rows struct option. */
#include <stdio.h>

#include "man.h"
#include "options.h"

static void option(const struct option *row)
{
	char argument[160];

	snprintf(argument, sizeof argument, "= %s", option_expects(row));
	man_term(row->key, argument);
	man_text(row->help);
	if (row->is_required)
		fputs("; must be given", stdout);
	if (row->fallback != NULL) {
		fputs("; default ", stdout);
		man_text(row->fallback);
	}
	putchar('\n');
}

static void section(enum section_kind kind)
{
	const struct section_info *info = &section_infos[kind];
	char title[64];
	size_t i;

	snprintf(title, sizeof title, "[%s%s]", info->name, info->is_named ? " NAME" : "");
	printf(".SS ");
	man_text(title);
	putchar('\n');
	man_text(info->help);
	putchar('\n');
	for (i = 0; i < n_option_table; i++)
		if (option_table[i].section == kind)
			option(&option_table[i]);
}

void man_conf_page(void)
{
	enum section_kind kind;
	size_t i;

	puts(".TH DROVER.CONF 5 \"\" \"drover " DROVER_VERSION "\" \"File Formats\"");
	man_section("NAME");
	puts("drover.conf \\- configuration of drover");
	man_section("DESCRIPTION");
	man_paragraph("Sections in [brackets] with lines of the form key = value; comments stand on lines of their own and begin with # or ;. "
		      "A value that holds one of these goes into \"quotes\". Names of hosts, networks and so on, in the brackets, are lower "
		      "case; names of guests, bridges and pools are values and keep their case. Sizes, rates and times need their unit. "
		      "Relative paths start at the folder of the file.");
	man_paragraph("Unknown or double keys, bad values and lines that are too long are mistakes. All of them are told at once, with file "
		      "and line, and nothing starts: drover config check. Every value in force and where it comes from: drover config "
		      "show --origin.");
	man_paragraph("The .conf files of the folder conf.d beside the file are read after it, in the order of their names.");
	man_section("SECTIONS");
	for (kind = 0; kind < SECTION_COUNT; kind++)
		section(kind);
	puts(".SS Every section");
	for (i = 0; i < n_option_table; i++)
		if (option_table[i].section == SECTION_ANY)
			option(&option_table[i]);
	man_section("SIMULATED HOSTS");
	man_paragraph("uri = sim:FILE makes a host part of the simulated world that FILE describes, an inventory document as drover inventory -o "
		      "json prints it; sim:FILE?speed=N runs its clock N times faster. All hosts have to be real, or all of one world.");
	man_section("FILES");
	man_term("/etc/drover/drover.conf", NULL);
	puts("read unless \\fB\\-\\-config\\fR names another");
	man_section("SEE ALSO");
	puts(".BR drover (1)");
}
