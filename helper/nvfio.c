// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nvfio - the operator's command. Options and verbs; what a verb does is in the file of its name.
 */
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <stdarg.h>

#include "exit-code.h"
#include "names.h"
#include "root.h"
#include "say.h"
#include "verbs.h"

enum verb { LIST = 1, EXPLAIN = 2, CONFIG = 4, HOST = 8, ARGS = 16, BIND = 32, UNBIND = 64, ALL = 127 };

/* BIND and UNBIND see to it themselves that an address or an option says which functions. */
static const struct {
	const char *word;
	enum verb verb;
	bool takes_bdfs, needs_bdf;
} verbs[] = {
	{ "list", LIST, false, false },
	{ "explain", EXPLAIN, true, true },
	{ "config", CONFIG, false, false },
	{ "check", HOST, false, false },
	{ "bind", BIND, true, false },
	{ "unbind", UNBIND, true, false },
	{ "args", ARGS, true, true },
};

enum { SYSROOT = 256, EVENT, CHECK, USER, VMM, IOMMUFD, VERSION, DEVICE_ID, CARD, GROUP, FORCE, DRY_RUN, PERSIST, TO };

/* Which verbs take it. */
static const struct {
	struct option option;
	unsigned int verbs;
} options[] = {
	{ { "all", no_argument, NULL, 'a' }, LIST | BIND | UNBIND },
	{ { "output", required_argument, NULL, 'o' }, LIST },
	{ { "output-all", no_argument, NULL, 'O' }, LIST },
	{ { "sort", required_argument, NULL, 'x' }, LIST },
	{ { "tree", no_argument, NULL, 'T' }, LIST },
	{ { "noheadings", no_argument, NULL, 'n' }, LIST },
	{ { "raw", no_argument, NULL, 'r' }, LIST },
	{ { "pairs", no_argument, NULL, 'P' }, LIST },
	{ { "json", no_argument, NULL, 'J' }, ALL },
	{ { "event", required_argument, NULL, EVENT }, EXPLAIN },
	{ { "check", required_argument, NULL, CHECK }, CONFIG },
	{ { "user", required_argument, NULL, USER }, HOST },
	{ { "vmm", required_argument, NULL, VMM }, ARGS },
	{ { "iommufd", no_argument, NULL, IOMMUFD }, ARGS },
	{ { "device-id", required_argument, NULL, DEVICE_ID }, BIND | UNBIND },
	{ { "card", no_argument, NULL, CARD }, BIND | UNBIND },
	{ { "group", no_argument, NULL, GROUP }, BIND | UNBIND },
	{ { "force", no_argument, NULL, FORCE }, BIND },
	{ { "to", required_argument, NULL, TO }, UNBIND },
	{ { "dry-run", no_argument, NULL, DRY_RUN }, BIND | UNBIND },
	{ { "persist", no_argument, NULL, PERSIST }, BIND | UNBIND },
	{ { "sysroot", required_argument, NULL, SYSROOT }, ALL },
	{ { "help", no_argument, NULL, 'h' }, ALL },
	{ { "version", no_argument, NULL, VERSION }, ALL },
};

static void usage(FILE *to)
{
	unsigned int i;

	fputs("Usage: nvfio [list] [OPTION...]\n"
	      "       nvfio explain [OPTION...] BDF...\n"
	      "       nvfio config [OPTION...]\n"
	      "       nvfio check [OPTION...]\n"
	      "       nvfio args --vmm=VMM [OPTION...] BDF...\n"
	      "       nvfio bind|unbind [OPTION...] BDF...|--all\n"
	      "\n"
	      "Shows NVIDIA PCI functions, what nvfio does with them, and why; puts them on VFIO and back.\n"
	      "\n"
	      "  list      every NVIDIA function and its state\n"
	      "  explain   how a verdict came about\n"
	      "  config    the policy that holds, each key with file and line\n"
	      "  check     whether this host is ready, and what to do if not\n"
	      "  args      what to tell a VMM so that a VM has these cards\n"
	      "  bind      put cards on VFIO now\n"
	      "  unbind    give back what nvfio took, and keep events from taking it again\n"
	      "\n"
	      "list:\n"
	      "  -a, --all             the other members of their IOMMU groups as well\n"
	      "  -o, --output=LIST     these columns; +LIST: these besides the usual ones\n"
	      "  -O, --output-all      all columns\n"
	      "  -x, --sort=COLUMN     sort by it\n"
	      "  -T, --tree            root ports and bridges, cards, PF and VFs as a tree\n"
	      "  -n, --noheadings      no headings\n"
	      "  -r, --raw             no alignment\n"
	      "  -P, --pairs           KEY=\"value\"\n"
	      "explain:\n"
	      "      --event=EVENT     what if it came now: hotplug, trigger (default), boot, release\n"
	      "config:\n"
	      "      --check=FILE      say whether FILE could be a part of the configuration\n"
	      "check:\n"
	      "      --user=NAME       could NAME open the VFIO nodes, and lock enough memory?\n"
	      "args:\n"
	      "      --vmm=VMM         qemu, cloud-hypervisor or libvirt\n"
	      "      --iommufd         through /dev/iommu (qemu)\n"
	      "bind, unbind:\n"
	      "      --all             every NVIDIA function\n"
	      "      --device-id=BDF   the same as BDF\n"
	      "      --card            the whole card (bind, and unbind of function 0, take it anyway)\n"
	      "      --group           the other members of their IOMMU groups as well\n"
	      "      --force           bind: do not ask whether it is in use\n"
	      "      --to=DRIVER       unbind: to this driver, not to the one of before\n"
	      "      --persist         bind: at every boot, by a drop-in; unbind: remove that\n"
	      "      --dry-run         print what would be written, and change nothing\n"
	      "all:\n"
	      "  -J, --json            JSON, errors too\n"
	      "      --sysroot=DIR     look below DIR instead of /\n"
	      "  -h, --help\n"
	      "      --version\n"
	      "\n"
	      "Columns:\n",
	      to);
	for (i = 0; i < COLUMN_COUNT; i++)
		fprintf(to, "  %-8s %s\n", column_name((enum column)i), column_help((enum column)i));
}

_printf_(2, 3) static int bad_usage(const char *about, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	say_error("usage", about, "%s; see nvfio --help", text);
	return EXIT_CODE_USAGE;
}

/* 0, or an exit code + 1 to end with at once. */
static int take_option(int c, struct options *opt)
{
	switch (c) {
	case 'a':
		opt->foreign = true;
		break;
	case 'o':
		opt->columns = optarg;
		break;
	case 'O':
		opt->all_columns = true;
		break;
	case 'x':
		opt->sort = optarg;
		break;
	case 'T':
		opt->tree = true;
		break;
	case 'n':
		opt->no_headings = true;
		break;
	case 'r':
		opt->raw = true;
		break;
	case 'P':
		opt->pairs = true;
		break;
	case 'J':
		opt->json = true;
		break;
	case EVENT:
		if (event_find(optarg, &opt->event) < 0)
			return bad_usage(optarg, "no such event: hotplug, trigger, boot or release") + 1;
		break;
	case CHECK:
		opt->check = optarg;
		break;
	case USER:
		opt->user = optarg;
		break;
	case VMM:
		if (vmm_find(optarg, &opt->vmm) < 0)
			return bad_usage(optarg, "no such VMM: qemu, cloud-hypervisor or libvirt") + 1;
		break;
	case IOMMUFD:
		opt->iommufd = true;
		break;
	case DEVICE_ID:
		opt->device_ids[opt->n_device_ids++] = optarg;
		break;
	case CARD:
		opt->card = true;
		break;
	case GROUP:
		opt->group = true;
		break;
	case FORCE:
		opt->force = true;
		break;
	case TO:
		opt->to = optarg;
		break;
	case DRY_RUN:
		opt->dry_run = true;
		break;
	case PERSIST:
		opt->persist = true;
		break;
	case SYSROOT:
		if (root_set(optarg) < 0)
			return bad_usage(optarg, "too long for a directory") + 1;
		break;
	case 'h':
		usage(stdout);
		return EXIT_CODE_OK + 1;
	case VERSION:
		puts("nvfio " NVFIO_VERSION);
		return EXIT_CODE_OK + 1;
	default:
		return EXIT_CODE_USAGE + 1;
	}
	return 0;
}

/* Errors found on the way to --json are JSON as well. */
static bool wants_json(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && !streq(argv[i], "--"); i++) {
		if (streq(argv[i], "--json") || (argv[i][0] == '-' && argv[i][1] != '-' && strchr(argv[i], 'J')))
			return true;
	}
	return false;
}

/* getopt's own complaints would be no JSON. */
static int bad_option(int argc, char **argv)
{
	char letter[3] = { '-', (char)optopt, '\0' };
	const char *word = optind > 0 && optind <= argc ? argv[optind - 1] : "";

	if (optopt > 0 && optopt < 256 && !startswith(word, "--"))
		word = letter;
	return bad_usage(word, "no such option, or not so: a value is missing or superfluous");
}

static int check_options(enum verb verb, const char *word, uint32_t seen)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(options); i++) {
		if ((seen & 1U << i) && !(options[i].verbs & verb)) {
			char name[32];

			snprintf(name, sizeof(name), "--%s", options[i].option.name);
			return bad_usage(name, "no option of nvfio %s", word);
		}
	}
	return EXIT_CODE_OK;
}

static int check_usage(enum verb verb, const struct options *opt)
{
	if (verb == ARGS && !opt->vmm)
		return bad_usage(NULL, "nvfio args: for which VMM? --vmm=qemu, cloud-hypervisor or libvirt is missing");
	if (opt->iommufd && opt->vmm != VMM_QEMU)
		return bad_usage("--iommufd", "that is for --vmm=qemu");
	if ((int)opt->raw + opt->pairs + opt->json > 1)
		return bad_usage(NULL, "--raw, --pairs and --json exclude each other");
	if (opt->tree && (opt->raw || opt->pairs))
		return bad_usage(NULL, "--tree is for tables and --json");
	return EXIT_CODE_OK;
}

static int call_verb(enum verb verb, const struct options *opt, char **bdfs, int n)
{
	switch (verb) {
	case EXPLAIN:
		return verb_explain(opt, bdfs, n);
	case CONFIG:
		return verb_config(opt);
	case HOST:
		return verb_check(opt);
	case ARGS:
		return verb_args(opt, bdfs, n);
	case BIND:
		return verb_bind(opt, bdfs, n);
	case UNBIND:
		return verb_unbind(opt, bdfs, n);
	case LIST:
	case ALL:
		break;
	}
	return verb_list(opt);
}

static int run_verb(const struct options *opt, uint32_t seen, char **words, int n)
{
	const char *word = n > 0 ? words[0] : "list";
	unsigned int i;
	int r;

	for (i = 0; i < ARRAY_SIZE(verbs) && !streq(verbs[i].word, word); i++)
		;
	if (i == ARRAY_SIZE(verbs))
		return bad_usage(word, "no such verb");
	r = check_options(verbs[i].verb, word, seen);
	if (r != EXIT_CODE_OK)
		return r;
	if (!verbs[i].takes_bdfs && n > 1)
		return bad_usage(words[1], "nvfio %s takes no arguments", word);
	if (verbs[i].needs_bdf && n < 2)
		return bad_usage(NULL, "nvfio %s: which function? its address is missing", word);
	r = check_usage(verbs[i].verb, opt);
	return r != EXIT_CODE_OK ? r : call_verb(verbs[i].verb, opt, words + 1, n - 1);
}

static int run(int argc, char **argv)
{
	_cleanup_free_ char **device_ids = calloc((size_t)argc, sizeof(*device_ids));
	struct options opt = { .event = EVENT_REAPPLY, .device_ids = device_ids };
	struct option longopts[ARRAY_SIZE(options) + 1] = { { NULL, 0, NULL, 0 } };
	uint32_t seen = 0;
	unsigned int i;
	int c, r;

	say_setup(wants_json(argc, argv));
	if (!device_ids) {
		say_error("failed", NULL, "out of memory");
		return EXIT_CODE_FAILED;
	}
	for (i = 0; i < ARRAY_SIZE(options); i++)
		longopts[i] = options[i].option;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "ao:Ox:TnrPJh", longopts, NULL)) != -1) {
		if (c == '?')
			return bad_option(argc, argv);
		for (i = 0; i < ARRAY_SIZE(options); i++)
			seen |= options[i].option.val == c ? 1U << i : 0;
		r = take_option(c, &opt);
		if (r > 0)
			return r - 1;
	}
	return run_verb(&opt, seen, argv + optind, argc - optind);
}

/* What is opened next would become standard output, and be written to. */
static bool have_streams(void)
{
	int fd;

	for (fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && (fd == 1 || open("/dev/null", O_RDWR) < 0))
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	int code;

	if (!have_streams()) {
		say_setup(wants_json(argc, argv));
		say_error("output", NULL, "standard output is closed");
		return EXIT_CODE_FAILED;
	}
	setlocale(LC_ALL, "");
	code = run(argc, argv);
	names_close();
	if (say_flush() < 0 && code == EXIT_CODE_OK)
		code = EXIT_CODE_FAILED;
	return code;
}
