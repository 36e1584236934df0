/* The manual pages, written in roff(7) from the tables, so that they cannot say anything else than the program does. */
#ifndef DROVER_CLI_MAN_H
#define DROVER_CLI_MAN_H

/* A line or a part of one: backslashes, hyphens that are typed, and dots at the beginning are escaped. */
void man_text(const char *text);
/* ".TP" with the bold term, and its arguments in italics (NULL = none). */
void man_term(const char *term, const char *arguments);
/* A paragraph of running text. */
void man_paragraph(const char *text);
void man_section(const char *title);

void man_conf_page(void);

#endif
