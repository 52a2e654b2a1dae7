// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nvfio-udev - decides and acts for one PCI event; started by rules/70-nvfio.rules.
 *
 * Arguments in, KEY=value lines out (udev imports them), one log record, an exit code. All knowledge is in the modules;
 * this file only wires them.
 */
#include <fcntl.h>
#include <getopt.h>
#include <sys/stat.h>

#include "event.h"
#include "exit-code.h"
#include "kmod.h"
#include "log.h"
#include "node-access.h"
#include "privilege.h"
#include "root.h"
#include "sysfs.h"
#include "vfs.h"

struct options {
	const char *verb;
	const char *action;
	const char *synth;     /* SYNTH_UUID: empty for the kernel's own events */
	const char *seqnum;    /* empty under `udevadm test` */
	const char *follow_up; /* SYNTH_ARG_NVFIO */
	const char *state;     /* NVFIO_STATE of the function's last event */
	const char *reason;    /* and its NVFIO_REASON */
	const char *admin;     /* ENV{NVFIO} */
	const char *group;     /* NVFIO_GROUP of the event before */
	const char *syspath;
};

static void usage(FILE *to)
{
	fputs("Usage: nvfio-udev event|decide [OPTION...] SYSPATH\n"
	      "       nvfio-udev vfs [--seqnum=N] [--sysroot=DIR] SYSPATH\n"
	      "       nvfio-udev forget [--sysroot=DIR] SYSPATH\n"
	      "       nvfio-udev node [OPTION...] SYSPATH\n"
	      "\n"
	      "Puts one NVIDIA PCI function on VFIO if it is to be there. Started by udev.\n"
	      "\n"
	      "  event    judge and act; without --seqnum judge only (udevadm test)\n"
	      "  decide   judge and print, change nothing\n"
	      "  vfs      judge and act on the VFs of a PF that wait for it, all in one\n"
	      "  forget   the function was removed: drop what is known about it\n"
	      "  node     print who may open a VFIO node; SYSPATH is that of its device\n"
	      "\n"
	      "  --action=ACTION   the uevent's: add, change or unbind (default: change)\n"
	      "  --synth=UUID      its SYNTH_UUID; empty: the kernel's own event\n"
	      "  --seqnum=N        its SEQNUM\n"
	      "  --follow-up=1     its SYNTH_ARG_NVFIO\n"
	      "  --state=STATE     NVFIO_STATE of the event before\n"
	      "  --reason=REASON   NVFIO_REASON of the event before; of a node NVFIO_NODE_REASON\n"
	      "  --admin=WORD      native or vfio, from ENV{NVFIO}\n"
	      "  --group=N         NVFIO_GROUP of the event before; for node only\n"
	      "  --sysroot=DIR     look below DIR instead of /\n"
	      "  --verbose         print log records on standard error too\n"
	      "  --help, --version\n",
	      to);
}

/* Errors that a person at a terminal may have made are said there too. */
static int bad_argument(const char *what, const char *value)
{
	log_setup("nvfio-udev", true);
	log_message(LOG_ERR, NULL, "%s: '%s'; nothing was changed", what, value);
	return EXIT_CODE_USAGE;
}

/* 0, or an exit code + 1 to end with at once. */
static int parse_options(int argc, char **argv, struct options *opt)
{
	enum { ACTION = 1, SYNTH, SEQNUM, FOLLOW_UP, STATE, REASON, ADMIN, GROUP, SYSROOT, VERBOSE, HELP, VERSION };
	static const struct option longopts[] = {
		{ "action", required_argument, NULL, ACTION },	 { "synth", required_argument, NULL, SYNTH },
		{ "seqnum", required_argument, NULL, SEQNUM },	 { "follow-up", required_argument, NULL, FOLLOW_UP },
		{ "state", required_argument, NULL, STATE },	 { "reason", required_argument, NULL, REASON },
		{ "admin", required_argument, NULL, ADMIN },	 { "group", required_argument, NULL, GROUP },
		{ "sysroot", required_argument, NULL, SYSROOT }, { "verbose", no_argument, NULL, VERBOSE },
		{ "help", no_argument, NULL, HELP },		 { "version", no_argument, NULL, VERSION },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
		switch (c) {
		case ACTION:
			opt->action = optarg;
			break;
		case SYNTH:
			opt->synth = optarg;
			break;
		case SEQNUM:
			opt->seqnum = optarg;
			break;
		case FOLLOW_UP:
			opt->follow_up = optarg;
			break;
		case STATE:
			opt->state = optarg;
			break;
		case REASON:
			opt->reason = optarg;
			break;
		case ADMIN:
			opt->admin = optarg;
			break;
		case GROUP:
			opt->group = optarg;
			break;
		case SYSROOT:
			if (root_set(optarg) < 0)
				return bad_argument("too long for a directory", optarg) + 1;
			break;
		case VERBOSE:
			log_setup("nvfio-udev", true);
			break;
		case HELP:
			usage(stdout);
			return EXIT_CODE_OK + 1;
		case VERSION:
			puts("nvfio-udev " NVFIO_VERSION);
			return EXIT_CODE_OK + 1;
		default:
			return EXIT_CODE_USAGE + 1;
		}
	}
	if (argc - optind != 2) {
		usage(stderr);
		return EXIT_CODE_USAGE + 1;
	}
	opt->verb = argv[optind];
	opt->syspath = argv[optind + 1];
	return 0;
}

/* The kind of event, or -EINVAL for one that is none of ours. */
static int event_kind(const struct options *opt)
{
	bool kernel = opt->synth[0] == '\0';

	/* It waited for its PF's event, which did not come to it: nobody has judged it since it was added. */
	if ((streq(opt->action, "add") || streq(opt->action, "change")) && streq(opt->reason, VFS_WAITING))
		return EVENT_HOTPLUG;
	if (streq(opt->action, "add"))
		return kernel ? EVENT_HOTPLUG : EVENT_COLDPLUG;
	if (streq(opt->action, "change") && opt->follow_up[0])
		return EVENT_FOLLOW_UP;
	/* The kernel's own `change` that a VF waited for: its physfn link was made, it is still being added. */
	if (streq(opt->action, "change"))
		return kernel && streq(opt->reason, "no-physfn") ? EVENT_HOTPLUG : EVENT_REAPPLY;
	if (streq(opt->action, "unbind") && kernel)
		return EVENT_RELEASE;
	return -EINVAL;
}

static int run_event(const struct options *opt, const char *bdf, bool may_act)
{
	int kind = event_kind(opt);

	if (kind < 0)
		return bad_argument("not an event nvfio acts on", opt->action);
	/* A rule that says something else meant something: better nothing is taken than the wrong thing. */
	if (opt->admin[0] && !streq(opt->admin, "native") && !streq(opt->admin, "vfio"))
		return bad_argument("ENV{NVFIO} is neither native nor vfio", opt->admin);
	return event_run(&(struct event){
		.bdf = bdf,
		.occasion = {
			.event = (enum event_kind)kind,
			.admin = streq(opt->admin, "native") ? ADMIN_NATIVE :
				 streq(opt->admin, "vfio") ? ADMIN_VFIO : ADMIN_SILENT,
			.was_deferred = streq(opt->state, "deferred"),
			.was_met = opt->state[0] != '\0',
			.read_override = !may_act,
		},
		.may_act = may_act,
		.state = opt->state,
		.to = stdout,
	});
}

/*
 * The event's path and the bus's entry of that name have to be one directory, or the path is made up. 0, -EINVAL if they
 * are not, -ENODEV if there is no such function (any more), -errno if that cannot be found out.
 */
static int check_syspath(const char *syspath, const char *bdf)
{
	_cleanup_close_ int a = sysfs_open_dir(syspath), b = -1;
	struct stat sa, sb;
	char path[64];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", bdf);
	b = sysfs_open_dir(path);
	/* Both may have gone between the two looks; a path that is still there is another bus's. */
	if (b == -ENOENT)
		return a >= 0 && root_exists(syspath) ? -EINVAL : -ENODEV;
	if (b < 0)
		return b;
	if (a < 0)
		return a == -ENOENT || a == -ENOTDIR || a == -ELOOP || a == -ENAMETOOLONG ? -EINVAL : a;
	if (fstat(a, &sa) < 0 || fstat(b, &sb) < 0)
		return -errno;
	return sa.st_ino == sb.st_ino && sa.st_dev == sb.st_dev ? 0 : -EINVAL;
}

static void print_node(const struct vfio_node *node, const struct node_access *a)
{
	char gid[16] = "";

	if (a->mode[0])
		snprintf(gid, sizeof(gid), "%u", a->gid);
	event_print(stdout, "NVFIO_NODE_GID", gid);
	event_print(stdout, "NVFIO_NODE_MODE", a->mode);
	event_print(stdout, "NVFIO_NODE_LINKS", a->links);
	event_print(stdout, "NVFIO_NODE_REASON", node_reason_name(a->reason));
	event_print(stdout, "NVFIO_NODE_MESSAGE", a->message);
	/* A function keeps it for its remove event, where sysfs knows no more. */
	event_print(stdout, "NVFIO_GROUP", node->group);
}

static void report_node(const struct node_access *a, const char *reason_before)
{
	static const int priority[NODE_REASON_COUNT] = {
		[NODE_GIVEN] = LOG_INFO, [NODE_FOREIGN] = LOG_WARNING, [NODE_NO_SUCH_GROUP] = LOG_ERR,
	};

	/* Each member that lands has it judged again. */
	if (!streq(node_reason_name(a->reason), reason_before))
		log_send(&(struct log_record){ .priority = priority[a->reason], .bdf = a->first,
					       .reason = node_reason_name(a->reason), .message = a->message });
}

/* A VFIO node's event. With an error nothing is imported, and its owner and mode stay as they are. */
static int run_node(const struct options *opt)
{
	_cleanup_config_ struct config *config = NULL;
	bool removed = streq(opt->action, "remove");
	struct settings settings;
	struct node_access access = { .mode = "" };
	struct vfio_node node;
	char error[512];
	int r;

	r = node_parse(opt->syspath, &node);
	if (r == -EINVAL || (!node.group[0] && copy_name(node.group, sizeof(node.group), opt->group) < 0))
		return bad_argument("not the sysfs path of a VFIO node, or not the number of its group", opt->syspath);
	if (r == 0)
		r = config_load(&config, error, sizeof(error));
	else
		snprintf(error, sizeof(error), "%s", strerror(-r));
	if (r == 0 && !removed) {
		config_resolve(config, &(struct config_subject){ 0 }, &settings);
		r = node_access_judge(&node, &settings, &access);
		snprintf(error, sizeof(error), "%s", strerror(-r));
	}
	if (r < 0) {
		log_message(LOG_ERR, NULL, "%s: owner and mode of the VFIO node stay as they are: %s", opt->syspath, error);
		return EXIT_CODE_FAILED;
	}
	/* The kernel's own events only: those that are asked for must not ask for others. */
	if (opt->seqnum[0] && !opt->synth[0] && node.bdf[0] && node.group[0])
		node_access_follow_up(node.group, node.bdf, !access.first[0]);
	if (removed)
		return EXIT_CODE_OK;
	if (opt->seqnum[0] && access.reason != NODE_NOT_OURS) {
		/* The keys may have been set after the functions landed. */
		r = node_access_begin();
		if (r < 0) {
			log_message(LOG_ERR, NULL, "%s: nobody would be told of changes: %s", opt->syspath, strerror(-r));
			return EXIT_CODE_FAILED;
		}
		report_node(&access, opt->reason);
	}
	print_node(&node, &access);
	return EXIT_CODE_OK;
}

/* More rights than needed are no reason to lose a device: where they cannot be given up it is said, and that is all. */
static void reduce_privileges(enum privilege keep)
{
	int r = privilege_reduce(keep);

	if (r < 0)
		log_message(LOG_WARNING, NULL, "could not give up the privileges it does not need: %s; going on with them",
			    strerror(-r));
}

int main(int argc, char **argv)
{
	struct options opt = { .action = "change", .synth = "", .seqnum = "", .follow_up = "", .state = "", .reason = "",
			       .admin = "", .group = "" };
	char bdf[BDF_SIZE];
	bool may_act;
	int r;

	log_setup("nvfio-udev", false);
	r = parse_options(argc, argv, &opt);
	if (r > 0)
		return r - 1;
	if (streq(opt.verb, "node")) {
		reduce_privileges(PRIVILEGE_NONE);
		return run_node(&opt);
	}
	if (!streq(opt.verb, "event") && !streq(opt.verb, "decide") && !streq(opt.verb, "forget") &&
	    !streq(opt.verb, "vfs"))
		return bad_argument("unknown verb", opt.verb);
	if (pci_parse_syspath(opt.syspath, bdf) < 0)
		return bad_argument("not the sysfs path of a PCI function", opt.syspath);
	may_act = (streq(opt.verb, "event") || streq(opt.verb, "vfs")) && opt.seqnum[0];
	reduce_privileges(streq(opt.verb, "forget") ? PRIVILEGE_NONE : may_act ? PRIVILEGE_ACT : PRIVILEGE_LOOK);
	if (streq(opt.verb, "forget"))
		return event_forget(bdf);
	r = check_syspath(opt.syspath, bdf);
	if (r == -EINVAL)
		return bad_argument("not the sysfs path of a PCI function", opt.syspath);
	if (r < 0)
		return event_failed(bdf, NULL, r);
	kmod_begin_event(may_act);
	if (streq(opt.verb, "vfs"))
		return may_act ? vfs_take(bdf) : EXIT_CODE_OK;
	return run_event(&opt, bdf, may_act);
}
