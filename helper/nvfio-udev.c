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

#include "bind.h"
#include "exit-code.h"
#include "host.h"
#include "kmod.h"
#include "log.h"
#include "node-access.h"
#include "privilege.h"
#include "root.h"
#include "sriov.h"
#include "sysfs.h"
#include "undo.h"

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
	      "       nvfio-udev forget [--sysroot=DIR] SYSPATH\n"
	      "       nvfio-udev node [OPTION...] SYSPATH\n"
	      "\n"
	      "Puts one NVIDIA PCI function on VFIO if it is to be there. Started by udev.\n"
	      "\n"
	      "  event    judge and act; without --seqnum judge only (udevadm test)\n"
	      "  decide   judge and print, change nothing\n"
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

/* A property as udev reads it: one line, in quotes. Log and udev see the same words. */
static void print_property(const char *key, const char *value)
{
	printf("%s=\"", key);
	for (; *value; value++)
		putchar(*value == '"' || *value == '\\' ? '\'' : (unsigned char)*value < ' ' ? ' ' : *value);
	fputs("\"\n", stdout);
}

struct result {
	const char *state;   /* bound claimed left deferred refused failed; "" where it is not known to have changed */
	const char *reason;  /* a token of policy.c, or bound, claimed, load, failed */
	const char *driver;  /* the VFIO driver it is, or would be, on */
	const char *message;
};

static void print_result(const struct judgement *j, const struct result *res)
{
	if (res->state[0])
		print_property("NVFIO_STATE", res->state);
	print_property("NVFIO_VERDICT", policy_verdict_name(j->verdict.code)); /* bind bound leave defer refuse */
	print_property("NVFIO_REASON", res->reason);
	print_property("NVFIO_ROLE", policy_role_name(j->self.facts.role));    /* gpu pf vf companion nvswitch other foreign */
	if (res->driver[0])
		print_property("NVFIO_DRIVER", res->driver);
	if (j->self.fn.group[0])
		print_property("NVFIO_GROUP", j->self.fn.group);               /* number of its IOMMU group */
	print_property("NVFIO_MESSAGE", res->message);
}

/* Left, deferred or refused: the one record, unless it has been said for this configuration since boot. */
static void report_verdict(const struct judgement *j, const char *message)
{
	enum verdict_code code = j->verdict.code;
	int priority = code == VERDICT_REFUSE ? LOG_WARNING : code == VERDICT_DEFER ? LOG_NOTICE : LOG_INFO;

	if (j->verdict.reason == REASON_CONFIG_BROKEN) {
		priority = LOG_ERR;
		if (!state_first_time(j->config_version))
			return;
	}
	log_send(&(struct log_record){
		.priority = priority,
		.bdf = j->self.fn.name,
		.event = policy_event_name(j->self.facts.event),
		.state = policy_state_name(code),
		.reason = policy_reason_name(j->verdict.reason),
		.driver = j->self.facts.driver.driver,
		.message = message,
	});
}

/* r: 0 nothing was done, 1 done, -errno. */
static void report_side_act(const struct judgement *j, const char *step, const char *what, int r)
{
	char message[256];

	if (r == 0)
		return;
	snprintf(message, sizeof(message), "%s%s%s", what, r < 0 ? " failed: " : "", r < 0 ? strerror(-r) : "");
	log_send(&(struct log_record){
		.priority = r < 0 ? LOG_ERR : LOG_NOTICE,
		.bdf = j->self.fn.name,
		.event = policy_event_name(j->self.facts.event),
		.step = step,
		.error = r < 0 ? -r : 0,
		.message = message,
	});
}

/* What has to be done although the function is not taken. */
static void settle(struct judgement *j)
{
	int r = undo_interrupted(j);

	report_side_act(j, "undo", "giving back what nvfio changed earlier and is not wanted now", r);
	/* The record still is about that; the next event begins with it again. */
	if (r < 0)
		return;
	report_side_act(j, "companions", "taking back companions that were faster than function 0",
			undo_companions(j, j->verdict.reason == REASON_ADMIN));
	report_side_act(j, "vf-autoprobe", "setting native probing of its VFs (sriov_drivers_autoprobe)",
			sriov_settle_autoprobe(j));
}

static int act(struct judgement *j)
{
	struct bind_result res = { 0 };
	int r = bind_function(j, &res);

	if (r == -EBUSY) {
		j->verdict.code = VERDICT_LEAVE;
		j->verdict.reason = REASON_IN_FLIGHT;
		j->self.facts.in_flight = true;
		return 1;
	}
	if (r < 0) {
		log_message(LOG_ERR, j->self.fn.name, "could not begin: %s; nothing was changed", strerror(-r));
		return -EXIT_CODE_FAILED;
	}
	if (res.state == BIND_GONE)
		return -EXIT_CODE_GONE;
	print_result(j, &(struct result){ bind_state_name(res.state), res.reason, res.driver, res.message });
	return 0;
}

/* judge() failed: say what is wrong with which function. */
static int report_failure(const char *bdf, const char *attr, int r)
{
	log_setup("nvfio-udev", true);
	if (r == -ENODEV) {
		log_message(LOG_INFO, bdf, "no such PCI function, or it went away; nothing was changed");
		return EXIT_CODE_GONE;
	}
	if (attr) {
		log_message(LOG_ERR, bdf, "attribute %s is not what a kernel prints: %s; nothing was changed", attr,
			    strerror(-r));
		return EXIT_CODE_BAD_DATA;
	}
	log_message(LOG_ERR, bdf, "could not be judged: %s; nothing was changed",
		    r == -EPROTO ? "its record in /run/nvfio is a newer nvfio's" :
		    r == -EBADMSG ? "its lock in /run/nvfio is no file of ours" :
		    r == -ENOPKG ? "libkmod.so.2 is not installed, or is none" : strerror(-r));
	return EXIT_CODE_FAILED;
}

/* The off switch has to work also where the rest does not: nothing is looked at, and it is said once a boot. */
static int run_off(void)
{
	if (state_first_time("off"))
		log_message(LOG_NOTICE, NULL, "%s: every NVIDIA function is left to its native driver",
			    policy_reason_text(REASON_OFF));
	print_property("NVFIO_STATE", policy_state_name(VERDICT_LEAVE));
	print_property("NVFIO_REASON", policy_reason_name(REASON_OFF));
	return EXIT_CODE_OK;
}

static int run_event(const struct options *opt, const char *bdf, bool may_act)
{
	_cleanup_judge_ struct judgement j = { .self.fn.dirfd = -1, .function0.fn.dirfd = -1, .namer.dirfd = -1 };
	struct occasion occasion = {
		.admin = streq(opt->admin, "native") ? ADMIN_NATIVE : streq(opt->admin, "vfio") ? ADMIN_VFIO : ADMIN_SILENT,
		.was_deferred = streq(opt->state, "deferred"),
		.was_met = opt->state[0] != '\0',
		.read_override = !may_act,
	};
	int kind = event_kind(opt), r;
	const char *attr = NULL;
	char text[700];

	if (kind < 0)
		return bad_argument("not an event nvfio acts on", opt->action);
	/* A rule that says something else meant something: better nothing is taken than the wrong thing. */
	if (opt->admin[0] && !streq(opt->admin, "native") && !streq(opt->admin, "vfio"))
		return bad_argument("ENV{NVFIO} is neither native nor vfio", opt->admin);
	r = host_is_off();
	if (r < 0)
		return report_failure(bdf, NULL, r);
	occasion.off = r > 0;
	if (may_act && occasion.off)
		return run_off();
	occasion.event = (enum event_kind)kind;
	r = judge(&j, bdf, &occasion, &attr);
	if (r < 0)
		return report_failure(bdf, attr, r);
	if (may_act && j.self.bad_record)
		log_message(LOG_WARNING, bdf, "what is in its record's place in /run/nvfio is no record, and does not count");
	if (may_act && j.verdict.code == VERDICT_BIND) {
		r = act(&j);
		if (r <= 0)
			return -r;
	}
	judge_text(&j, text, sizeof(text));
	if (may_act) {
		if (j.verdict.code != VERDICT_BOUND)
			settle(&j);
		report_verdict(&j, text);
	}
	/* A judgement alone changes no state: `udevadm test` writes what is printed here into udev's database. */
	print_result(&j, &(struct result){ may_act ? policy_state_name(j.verdict.code) : opt->state,
					   policy_reason_name(j.verdict.reason),
					   j.self.fn.on_vfio ? j.self.fn.driver : j.self.facts.driver.driver, text });
	return EXIT_CODE_OK;
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

/* Another function may sit at the address by now: what is known about that one is not forgotten. */
static int run_forget(const char *bdf)
{
	_cleanup_pci_ struct pci_function fn = { .dirfd = -1 };
	struct record rec;
	const char *attr;
	int r;

	if (pci_open(bdf, &fn, &attr) == 0) {
		r = state_load(&fn, &rec);
		if (r == 0 || r == -EPROTO)
			return EXIT_CODE_OK;
	}
	r = state_forget(bdf);
	if (r == 0)
		return EXIT_CODE_OK;
	log_message(LOG_WARNING, bdf, "could not remove its record from /run/nvfio: %s", strerror(-r));
	return EXIT_CODE_FAILED;
}

static void print_node(const struct vfio_node *node, const struct node_access *a)
{
	char gid[16] = "";

	if (a->mode[0])
		snprintf(gid, sizeof(gid), "%u", a->gid);
	print_property("NVFIO_NODE_GID", gid);
	print_property("NVFIO_NODE_MODE", a->mode);
	print_property("NVFIO_NODE_LINKS", a->links);
	print_property("NVFIO_NODE_REASON", node_reason_name(a->reason));
	print_property("NVFIO_NODE_MESSAGE", a->message);
	/* A function keeps it for its remove event, where sysfs knows no more. */
	print_property("NVFIO_GROUP", node->group);
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
	if (!streq(opt.verb, "event") && !streq(opt.verb, "decide") && !streq(opt.verb, "forget"))
		return bad_argument("unknown verb", opt.verb);
	if (pci_parse_syspath(opt.syspath, bdf) < 0)
		return bad_argument("not the sysfs path of a PCI function", opt.syspath);
	may_act = streq(opt.verb, "event") && opt.seqnum[0];
	reduce_privileges(streq(opt.verb, "forget") ? PRIVILEGE_NONE : may_act ? PRIVILEGE_ACT : PRIVILEGE_LOOK);
	if (streq(opt.verb, "forget"))
		return run_forget(bdf);
	r = check_syspath(opt.syspath, bdf);
	if (r == -EINVAL)
		return bad_argument("not the sysfs path of a PCI function", opt.syspath);
	if (r < 0)
		return report_failure(bdf, NULL, r);
	kmod_begin_event(may_act);
	return run_event(&opt, bdf, may_act);
}
