/* The functions behind the table in commands.c, one file for each kind of command. */
#ifndef DROVER_CLI_CMD_H
#define DROVER_CLI_CMD_H

#include "args.h"

/* cmd_plan.c: looks, changes nothing */
command_fn cmd_inventory, cmd_preflight, cmd_plan;
/* cmd_explain.c */
command_fn cmd_explain;
/* cmd_baseline.c: preflight --baseline */
command_fn cmd_baseline;
/* cmd_run.c: moves guests */
command_fn cmd_apply, cmd_drain;
/* cmd_steer.c: steers what runs */
command_fn cmd_resume, cmd_pause, cmd_cancel, cmd_throttle;
/* cmd_state.c: tells what the state file or a running drover knows */
command_fn cmd_status, cmd_watch, cmd_history, cmd_report;
/* cmd_admin.c */
command_fn cmd_cordon, cmd_config, cmd_backup;
/* cmd_doctor.c */
command_fn cmd_doctor;
/* simulate.c */
command_fn cmd_simulate;
/* help.c */
command_fn cmd_help, cmd_completion, cmd_version;

#endif
