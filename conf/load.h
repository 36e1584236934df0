/* Configuration from given places; config_load is this with the usual ones. Tests and fuzzers come in here. */
#ifndef CONF_LOAD_H
#define CONF_LOAD_H

#include "drover/config.h"

/* main_file may be missing when it is optional; folder (may be NULL): its *.conf files follow in the order of their bytes. */
struct config *config_load_from(const char *main_file, bool is_optional, const char *folder, struct problems *problems);
/* One text instead of files. */
struct config *config_parse(const char *name, const char *text, size_t n, struct problems *problems);
/* An INI batch file: [batch], [move], [map] only, one batch. */
struct request *batch_ini(const char *file, const char *text, size_t n, struct problems *problems);

#endif
