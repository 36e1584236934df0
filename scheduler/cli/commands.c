/* The table of commands: what the parser accepts, what help and completion print, what runs. */
#include <stddef.h>

#include "cmd.h"

#define PLANNING "inventory to to-pool map cannot-move reason"
#define RUNNING "yes no-input reason to-pool map cannot-move"

const struct command cli_commands[] = {
	{"drain", "HOST...", 1, WORDS_MAX, RUNNING, "move every guest away and keep the host empty", "drover drain h1 --reason 'new disks'", cmd_drain},
	{"return", "HOST", 1, 1, RUNNING, "bring back the guests that drains moved away, and uncordon the host", "drover return h1", cmd_drain},
	{"undo", "BATCH", 1, 1, RUNNING, "move back what a batch has moved, as far as it is where the batch put it", "drover undo 3", cmd_drain},
	{"move", "VM... --to HOST", 1, WORDS_MAX, RUNNING " to", "move guests to a host", "drover move web1 web2 --to h3", cmd_drain},
	{"batch", "FILE", 1, 1, RUNNING, "move what a CSV or INI file lists, or [batch NAME] of the configuration", "drover batch moves.csv", cmd_drain},
	{"rebalance", "", 0, 0, RUNNING, "even out the load of the hosts", NULL, cmd_drain},
	{"plan", "drain|move|batch|return|undo|rebalance ...", 1, WORDS_MAX, PLANNING " detailed-exitcode", "show what would be done: who, where to, when, how long, why", "drover plan drain h1 -o json > plan.json", cmd_plan},
	{"apply", "PLAN.json", 1, 1, "yes no-input", "run a plan made by plan -o json; refused when the hosts have changed since", "drover apply plan.json", cmd_apply},
	{"preflight", "drain|move|batch|return|undo|rebalance ..., or --baseline [HOST...]", 0, WORDS_MAX, PLANNING " baseline", "check every move on the real hosts, change nothing; --baseline: print the CPU that all hosts can give", "drover preflight drain h1", cmd_preflight},
	{"simulate", "drain|move|batch|rebalance ... --inventory FILE", 1, WORDS_MAX, PLANNING " seed", "run it in a simulated world, in no time, and print the report", "drover inventory -o json > inv.json; drover simulate drain h1 --inventory inv.json", cmd_simulate},
	{"explain", "VM|HOST", 1, 1, "inventory to-pool", "every target of a guest and the rule that refuses it; or what binds a host", "drover explain web1", cmd_explain},
	{"doctor", "[HOST [HOST]]", 0, 2, "", "check names, ports, ways, credentials, pools, bridges, clocks: everything that moves need", "drover doctor h1 h2", cmd_doctor},
	{"inventory", "", 0, 0, "inventory measure", "hosts and guests as found; -o json is what --inventory takes back", NULL, cmd_inventory},
	{"status", "", 0, 0, "", "what runs now, what waits and why", NULL, cmd_status},
	{"watch", "", 0, 0, "", "follow a run from another terminal", NULL, cmd_watch},
	{"history", "", 0, 0, "", "all batches", NULL, cmd_history},
	{"report", "BATCH", 1, 1, "", "planned against measured: time, bytes, downtime, tries", "drover report 3 -o csv", cmd_report},
	{"pause", "[BATCH]", 0, 1, "", "start no further moves; the running ones end", NULL, cmd_pause},
	{"resume", "[BATCH]", 0, 1, "yes no-input", "go on with what was paused or interrupted", NULL, cmd_resume},
	{"cancel", "[BATCH]", 0, 1, "guest", "give up what has not been moved yet; running moves are aborted", "drover cancel 3 --guest web1", cmd_cancel},
	{"throttle", "", 0, 0, "max-migrations max-incoming max-outgoing max-incoming-storage max-outgoing-storage incoming outgoing rate host network",
		"show the limits of a run that goes on now, or change them until its batches have ended", "drover throttle --host h1 --max-outgoing-storage 1", cmd_throttle},
	{"cordon", "HOST...", 1, WORDS_MAX, "reason", "no guest is moved to the host any more", NULL, cmd_cordon},
	{"uncordon", "HOST...", 1, WORDS_MAX, "", "the host takes guests again", NULL, cmd_cordon},
	{"config", "check|show", 1, 1, "origin", "check the configuration, or show every value and, with --origin, where it is set", "drover config show --origin", cmd_config},
	{"backup", "FILE", 1, 1, "", "copy the state file, also while it is in use", NULL, cmd_backup},
	{"completion", "bash", 1, 1, "", "completion for the shell", "eval \"$(drover completion bash)\"", cmd_completion},
	{"version", "", 0, 0, "", "print the version", NULL, cmd_version},
	{"help", "[COMMAND]", 0, 1, "", "this help", NULL, cmd_help},
	{.name = NULL},
};

const struct exit_code_info cli_exit_codes[] = {
	{EXIT_DONE, "done or nothing to do"},
	{EXIT_FAILED, "failed"},
	{EXIT_CHANGES, "plan --detailed-exitcode: something to do"},
	{EXIT_SOME_LEFT, "some guests left"},
	{EXIT_REFUSED, "refused"},
	{EXIT_WINDOW, "time over"},
	{EXIT_STALE, "stale plan"},
	{EXIT_NO_DAEMON, "no drover runs"},
	{EXIT_USAGE, "usage"},
	{EXIT_CONFIG, "configuration"},
	{EXIT_DETACHED, "interrupted"},
	{.meaning = NULL},
};
