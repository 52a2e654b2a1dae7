// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The configuration's files: lookup order, shadowing and masking, whom to trust, and the file that
 * is shipped. Runs in the top directory, as root or anybody.
 */
#include "config-test.h"
#include "tree.h"

#include "config-internal.h"

/* What loading the configuration in the tree says. */
struct loaded {
	struct config *cfg;
	char error[512];
	int r;
};

static void loaded_free(struct loaded *t)
{
	config_free(t->cfg);
}

#define LOADED(name) \
	TREE; \
	__attribute__((cleanup(loaded_free))) struct loaded name = { 0 }

static void set_mode(const char *path, mode_t mode)
{
	if (chmod(tree_path(path), mode) < 0)
		tree_fail(path);
}

/* Whatever the umask is. */
static void put(const char *path, const char *text)
{
	tree_file(path, text);
	set_mode(path, 0644);
}

static void take_away(const char *path)
{
	if (remove(tree_path(path)) < 0)
		tree_fail(path);
}

static void give_to(const char *path, uid_t uid)
{
	if (chown(tree_path(path), uid, (gid_t)-1) < 0)
		tree_fail(path);
}

/* Loads anew. The value of `driver` for the GPU, which the tests use as a mark; "!" if it fails. */
static const char *loads(struct loaded *t)
{
	static struct settings s;
	struct config *cfg = NULL;

	t->error[0] = '\0';
	t->r = config_load(&cfg, t->error, sizeof(t->error));
	if (t->r < 0)
		return cfg ? "returned a configuration and an error" : "!";
	config_free(t->cfg);
	t->cfg = cfg;
	config_resolve(cfg, &gpu, &s);
	return s.key[KEY_DRIVER].text;
}

static const char *fails(struct loaded *t, int r)
{
	const char *driver = loads(t);

	return !streq(driver, "!") ? driver : t->r != r ? "another error number" : t->error;
}

#define MARK(driver) "[policy]\ndriver = " driver "\n"

static void no_file_is_fine(void)
{
	LOADED(t);

	CHECK_STR(loads(&t), "");
	CHECK(root_set("/nonexistent") == 0);
	CHECK_STR(loads(&t), "");
}

static void the_main_file_is_etc_or_usr(void)
{
	LOADED(t);

	put("/usr/lib/nvfio/nvfio.conf", MARK("usr"));
	CHECK_STR(loads(&t), "usr");
	put("/etc/nvfio.conf", "[policy]\ngpu = native\n");
	CHECK_STR(loads(&t), "");
	put("/etc/nvfio.conf", MARK("etc"));
	CHECK_STR(loads(&t), "etc");
	set_mode("/usr/lib/nvfio/nvfio.conf", 0666); /* not looked at */
	CHECK_STR(loads(&t), "etc");
}

static void a_link_to_dev_null_masks(void)
{
	LOADED(t);

	put("/usr/lib/nvfio/nvfio.conf", MARK("usr"));
	tree_link("/etc/nvfio.conf", "/dev/null");
	CHECK_STR(loads(&t), "");
	put("/usr/lib/nvfio.conf.d/a.conf", MARK("vendor"));
	CHECK_STR(loads(&t), "vendor");
	tree_link("/run/nvfio.conf.d/a.conf", "/dev/null");
	CHECK_STR(loads(&t), "");
	put("/etc/nvfio.conf.d/a.conf", MARK("admin"));
	CHECK_STR(loads(&t), "admin");
}

static void dropins_go_by_name(void)
{
	struct settings s;
	LOADED(t);

	put("/etc/nvfio.conf", MARK("main"));
	put("/etc/nvfio.conf.d/20.conf", MARK("etc-20"));
	CHECK_STR(loads(&t), "etc-20");
	put("/usr/lib/nvfio.conf.d/30.conf", MARK("usr-30"));
	CHECK_STR(loads(&t), "usr-30");
	put("/run/nvfio.conf.d/30.conf", MARK("run-30"));
	CHECK_STR(loads(&t), "run-30");
	put("/run/nvfio.conf.d/25.conf", MARK("run-25"));
	CHECK_STR(loads(&t), "run-30");
	/* What is shadowed is not even opened. */
	put("/usr/lib/nvfio.conf.d/30.conf", "nonsense");
	CHECK_STR(loads(&t), "run-30");
	put("/etc/nvfio.conf.d/30.conf", "\n");
	CHECK_STR(loads(&t), "run-25");
	/* Bytes are compared, not words of a locale. */
	put("/usr/lib/nvfio.conf.d/Z.conf", MARK("Z"));
	put("/run/nvfio.conf.d/a.conf", MARK("a"));
	CHECK_STR(loads(&t), "a");
	config_resolve(t.cfg, &gpu, &s);
	CHECK_STR(s.key[KEY_DRIVER].file, "/run/nvfio.conf.d/a.conf");
}

static void other_names_are_no_dropins(void)
{
	static const char *const names[] = { "x", "x.conf~", ".x.conf", ".conf", "x.conf.dpkg-new",
		"x.CONF", "xconf", "#x.conf#" };
	char path[PATH_MAX];
	unsigned int i;
	LOADED(t);

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		(void)snprintf(path, sizeof(path), "/etc/nvfio.conf.d/%s", names[i]);
		put(path, "nonsense");
	}
	CHECK_STR(loads(&t), "");
	put("/etc/nvfio.conf.d/x.y.conf", MARK("x"));
	CHECK_STR(loads(&t), "x");
	/* More than the list begins with. */
	for (i = 0; i < 99; i++) {
		(void)snprintf(path, sizeof(path), "/run/nvfio.conf.d/%u.conf", i);
		put(path, i == 98 ? MARK("98") : MARK("any"));
	}
	put("/etc/nvfio.conf.d/x.y.conf", "");
	CHECK_STR(loads(&t), "98");
}

static void a_bad_file_is_an_error_of_the_whole(void)
{
	LOADED(t);

	put("/etc/nvfio.conf", MARK("main"));
	put("/run/nvfio.conf.d/a.conf", "[policy]\n\ngpu = x\n");
	put("/run/nvfio.conf.d/b.conf", MARK("b"));
	CHECK_STR(fails(&t, -EINVAL),
		  "/run/nvfio.conf.d/a.conf:3: gpu = x: expected vfio or native");
	tree_link("/etc/nvfio.conf.d/a.conf", "nowhere");
	CHECK_STR(fails(&t, -EINVAL), "/etc/nvfio.conf.d/a.conf: link to nowhere");
	take_away("/etc/nvfio.conf.d/a.conf");
	take_away("/run/nvfio.conf.d/a.conf");
	CHECK_STR(loads(&t), "b");
}

static void only_regular_files_are_read(void)
{
	LOADED(t);
	char loop[128];

	tree_link("/etc/nvfio.conf", "nowhere");
	CHECK_STR(fails(&t, -EINVAL), "/etc/nvfio.conf: link to nowhere");
	take_away("/etc/nvfio.conf");
	tree_link("/etc/nvfio.conf", "nvfio.conf");
	/* In the words of the C library. */
	snprintf(loop, sizeof(loop), "/etc/nvfio.conf: %s", strerror(ELOOP));
	CHECK_STR(fails(&t, -ELOOP), loop);
	take_away("/etc/nvfio.conf");
	tree_dir("/etc/nvfio.conf");
	CHECK_STR(fails(&t, -EINVAL), "/etc/nvfio.conf: not a regular file");
	take_away("/etc/nvfio.conf");
	/* Nobody writes to it: without O_NONBLOCK this would hang. */
	CHECK(mkfifo(tree_path("/etc/nvfio.conf"), 0644) == 0);
	CHECK_STR(fails(&t, -EINVAL), "/etc/nvfio.conf: not a regular file");
	take_away("/etc/nvfio.conf");
	tree_link("/etc/nvfio.conf", "/dev/zero");
	CHECK_STR(fails(&t, -EINVAL), "/etc/nvfio.conf: not a regular file");
	take_away("/etc/nvfio.conf");
	/* A link to a good file is as good as the file. */
	put("/run/elsewhere", MARK("elsewhere"));
	tree_link("/etc/nvfio.conf", "../run/elsewhere");
	CHECK_STR(loads(&t), "elsewhere");
}

static void a_bad_directory_is_an_error(void)
{
	LOADED(t);

	put("/run/nvfio.conf.d", "");
	CHECK_STR(fails(&t, -ENOTDIR), "/run/nvfio.conf.d: Not a directory");
	take_away("/run/nvfio.conf.d");
	tree_link("/run/nvfio.conf.d", "nowhere");
	CHECK_STR(fails(&t, -EINVAL), "/run/nvfio.conf.d: link to nowhere");
	take_away("/run/nvfio.conf.d");
	tree_link("/run/nvfio.conf.d", "/dev/null");
	CHECK_STR(fails(&t, -ENOTDIR), "/run/nvfio.conf.d: Not a directory");
}

static void a_huge_file_is_refused(void)
{
	_cleanup_free_ char *text = malloc(1024 * 1024 + 2);
	LOADED(t);

	CHECK(text);
	memset(text, '\n', 1024 * 1024);
	text[1024 * 1024] = '\0';
	put("/etc/nvfio.conf", text);
	CHECK_STR(loads(&t), "");
	memcpy(text + 1024 * 1024, "\n", 2);
	put("/etc/nvfio.conf", text);
	CHECK_STR(fails(&t, -EFBIG), "/etc/nvfio.conf: larger than 1 MiB");
}

static void only_root_is_trusted(void)
{
	struct stat st = { .st_uid = 0, .st_mode = S_IFREG | 0644 };

	CHECK(root_is_host());
	CHECK(!config_distrust(&st));
	st.st_gid = 1000; /* may read it only */
	CHECK(!config_distrust(&st));
	st.st_mode = S_IFREG | 0664;
	CHECK_STR(config_distrust(&st), "writable by group or others");
	st.st_mode = S_IFREG | 0602;
	CHECK_STR(config_distrust(&st), "writable by group or others");
	st.st_mode = S_IFDIR | 01777;
	CHECK_STR(config_distrust(&st), "writable by group or others");
	st = (struct stat){ .st_uid = geteuid() + 1, .st_mode = S_IFREG | 0600 };
	CHECK_STR(config_distrust(&st), "not owned by root");
	CHECK(root_set("/tmp") == 0);
	CHECK_STR(config_distrust(&st), "not owned by root");
	st.st_uid = geteuid();
	CHECK(!config_distrust(&st));
	CHECK(root_set(NULL) == 0);
	CHECK(geteuid() == 0 || streq(config_distrust(&st), "not owned by root"));
}

static void untrusted_files_are_refused(void)
{
	LOADED(t);

	put("/etc/nvfio.conf.d/a.conf", MARK("a"));
	set_mode("/etc/nvfio.conf.d/a.conf", 0664);
	CHECK_STR(fails(&t, -EPERM), "/etc/nvfio.conf.d/a.conf: writable by group or others");
	set_mode("/etc/nvfio.conf.d/a.conf", 0646);
	CHECK_STR(fails(&t, -EPERM), "/etc/nvfio.conf.d/a.conf: writable by group or others");
	set_mode("/etc/nvfio.conf.d/a.conf", 0600);
	CHECK_STR(loads(&t), "a");
	tree_dir("/run/nvfio.conf.d");
	set_mode("/run/nvfio.conf.d", 01777);
	CHECK_STR(fails(&t, -EPERM), "/run/nvfio.conf.d: writable by group or others");
	set_mode("/run/nvfio.conf.d", 0755);
	CHECK_STR(loads(&t), "a");
	/* Only root can give a file away; for anybody else all of the above was not root's. */
	if (geteuid() == 0) {
		give_to("/etc/nvfio.conf.d/a.conf", 65534);
		CHECK_STR(fails(&t, -EPERM), "/etc/nvfio.conf.d/a.conf: not owned by root");
		give_to("/etc/nvfio.conf.d/a.conf", 0);
		give_to("/etc/nvfio.conf.d", 65534);
		CHECK_STR(fails(&t, -EPERM), "/etc/nvfio.conf.d: not owned by root");
	}
}

/* The shipped file, if wanted with its "#key = value" and "#  example" lines uncommented. */
static bool read_shipped(char *text, size_t size, bool keys, bool examples)
{
	_cleanup_file_ FILE *file = fopen("conf/nvfio.conf", "r");
	size_t len = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		const char *s = line;

		if (keys && line[0] == '#' && line[1] >= 'a' && line[1] <= 'z')
			s = line + 1;
		else if (examples && startswith(line, "#  ") && line[3] != ' ' &&
			 (line[3] == '[' || strstr(line, " = ")))
			s = line + 3;
		if (len + strlen(s) >= size)
			return false;
		len += (size_t)sprintf(text + len, "%s", s);
	}
	return len > 0;
}

static void the_shipped_file_says_the_defaults(void)
{
	static char text[32768];
	struct settings defaults;
	unsigned int i, n = 0;
	const char *line;
	ANSWER(as_is);
	ANSWER(keys);
	ANSWER(all);

	config_resolve(NULL, &gpu, &defaults);
	CHECK(read_shipped(text, sizeof(text), false, false) && ask(&as_is, text, &gpu));
	CHECK(read_shipped(text, sizeof(text), true, false) && ask(&keys, text, &gpu));
	for (i = 0; i < KEY_COUNT; i++) {
		const struct setting *d = &defaults.key[i], *k = &keys.says.key[i];

		CHECK(as_is.says.key[i].level == LEVEL_DEFAULT);
		CHECK(k->level == LEVEL_POLICY && k->choice == d->choice && k->ms == d->ms);
		CHECK_STR(k->text, d->text);
	}
	/* And nothing in it looks like a key without being one. */
	for (line = text; (line = strstr(line, "\n#")); line++)
		n += line[2] >= 'a' && line[2] <= 'z';
	CHECK(n == 0);
	CHECK(read_shipped(text, sizeof(text), true, true) && ask(&all, text, &gpu));
	CHECK(all.says.key[KEY_GPU].level == LEVEL_ADDRESS);
	CHECK(all.says.key[KEY_GPU].choice == CHOICE_NATIVE);
	CHECK(all.says.key[KEY_BOOT].level == LEVEL_MODEL);
	CHECK(all.says.key[KEY_BOOT].choice == CHOICE_VFIO);
	CHECK(all.says.key[KEY_TAKEOVER].level == LEVEL_SUBSYSTEM);
	CHECK(all.says.key[KEY_TAKEOVER].choice == CHOICE_IDLE);
}

TEST_MAIN(TEST(no_file_is_fine), TEST(the_main_file_is_etc_or_usr),
	  TEST(a_link_to_dev_null_masks), TEST(dropins_go_by_name),
	  TEST(other_names_are_no_dropins), TEST(a_bad_file_is_an_error_of_the_whole),
	  TEST(only_regular_files_are_read), TEST(a_bad_directory_is_an_error),
	  TEST(a_huge_file_is_refused), TEST(only_root_is_trusted), TEST(untrusted_files_are_refused),
	  TEST(the_shipped_file_says_the_defaults))
