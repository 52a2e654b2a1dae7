// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A crew of children that share a list of VFs. One is enough where the kernel answers at once, and costs least; a probe that
 * takes its time, as the power transitions of hardware do, keeps one child and not the rest.
 */
#include "vfs.h"

#include <poll.h>
#include "child.h"
#include "event.h"
#include "exit-code.h"
#include "host.h"
#include "log.h"
#include "root.h"
#include "sysfs.h"
#include "udevdb.h"
#include "uevent.h"

#define CREW_MAX 8

/* How often it is looked whether each has done more than one; where not, as many again begin. */
#define PATIENCE_MS 20

struct worker {
	struct child child;
	bool running;
	unsigned int vf;           /* which it is at: index and 1; 0 for none */
	struct bind_result result; /* how far it is */
};

/* In memory that parent and children share, but for the names, which do not change. */
struct crew {
	char (*name)[BDF_SIZE];
	unsigned int n;
	unsigned int next, done; /* how many looks were begun, and are over: one at each VF, then a second at each */
	struct worker worker[CREW_MAX];
	bool later[];            /* the first look did not find it waiting */
};

/* One VF in a worker's hands. */
struct taking {
	struct worker *worker;
	char *expected; /* what was written for its bind event */
	size_t expected_size;
};

/* Before the bind, whose event imports it; nothing where the driver's name is known only later. */
static void write_expected(struct taking *t, struct judgement *j)
{
	struct bind_result res;
	FILE *to;

	bind_expect(j, &res);
	to = res.driver[0] ? open_memstream(&t->expected, &t->expected_size) : NULL;
	if (!to)
		return;
	event_print_result(to, j, &(struct event_result){ bind_state_name(res.state), res.reason, res.driver, res.message });
	if (fclose(to) != 0 || state_save_properties(j->self.fn.name, t->expected, t->expected_size) < 0)
		t->expected_size = 0;
}

static int bind_vf(struct judgement *j, struct bind_result *ret, void *arg)
{
	struct taking *t = arg;

	write_expected(t, j);
	bind_here(j, &t->worker->result);
	*ret = t->worker->result;
	return 0;
}

/* Has its own event come: to import what was written ("told"), or to run the helper for it if it waits ("come"). */
static void tell(const char *name, const char *what)
{
	char path[64];
	_cleanup_close_ int fd = -1;
	int r;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", name);
	fd = sysfs_open_dir(path);
	r = fd < 0 ? fd : uevent_tell(fd, what);
	if (r < 0 && r != -ENODEV && r != -ENOENT)
		log_message(LOG_WARNING, name, "could not send an event of it: %s; `udevadm trigger` does", strerror(-r));
}

/*
 * What came of it, for udev: nothing new where its `bind` event comes and finds it so, or where somebody else is acting on it.
 * (udev reads the `uevent` of a function whose event comes, which would wait for him.)
 */
static void report(const struct taking *t, const char *name, const char *reason, const char *text, size_t size)
{
	int r;

	if ((size == t->expected_size && memcmp(text, t->expected, size) == 0) ||
	    streq(reason, policy_reason_name(REASON_ON_VFIO)) || streq(reason, policy_reason_name(REASON_IN_FLIGHT)))
		return;
	r = state_save_properties(name, text, size);
	if (r < 0)
		log_message(LOG_WARNING, name, "could not write its properties to /run/nvfio: %s", strerror(-r));
	tell(name, r < 0 ? "come" : "told");
}

/*
 * Whether udev's rules have come that far is known from udev's database alone. What is there may be about another VF, which had
 * the address before, and whose `remove` udev has not come to.
 */
static bool is_waiting(const char *name)
{
	struct udevdb db;

	return udevdb_read(name, &db) == 0 && db.known && streq(db.state, "claimed") && streq(db.reason, VFS_WAITING);
}

static bool is_there(const char *name, const char *what)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", name, what);
	return root_exists(path);
}

static void take_locked(struct worker *w, const char *name, int lock)
{
	struct taking t = { .worker = w };
	struct event e = { .bdf = name, .occasion = { .event = EVENT_HOTPLUG, .locked = true }, .may_act = true, .state = "",
			   .bind = bind_vf, .arg = &t };
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int code;

	e.to = lock < 0 ? NULL : open_memstream(&text, &size);
	code = e.to ? event_run(&e) : EXIT_CODE_FAILED;
	if (e.to && fclose(e.to) != 0)
		code = EXIT_CODE_FAILED;
	if (code == EXIT_CODE_OK)
		report(&t, name, e.reason, text, size);
	else if (code != EXIT_CODE_GONE)
		tell(name, "come");
	free(t.expected);
}

/* False: udev has not come to it yet, or knows its predecessor; or somebody else is at it, be it the predecessor's `remove`. */
static bool take(struct worker *w, const char *name)
{
	int lock = is_waiting(name) ? state_lock(name) : -EBUSY;

	if (lock == -EBUSY)
		return is_there(name, "vfio-dev");
	child_keep(lock);
	take_locked(w, name, lock);
	child_keep(-1);
	close_fd(lock);
	/* Its `remove` event, which forgets it, may have come while it was locked. */
	if (!is_there(name, ""))
		(void)event_forget(name);
	return true;
}

/* Where it is not to be taken by the second look either it comes by itself: if its own event has judged it, nothing changes. */
static void look_at(struct worker *w, struct crew *c, unsigned int i)
{
	unsigned int vf = i % c->n;

	w->vf = vf + 1;
	if (i < c->n && !take(w, c->name[vf])) {
		__atomic_store_n(&c->later[vf], true, __ATOMIC_SEQ_CST);
		/* Its second look may have been another worker's by then, who passed it over. */
		if (__atomic_load_n(&c->next, __ATOMIC_SEQ_CST) > c->n + vf)
			i = c->n + vf;
	}
	if (i >= c->n && __atomic_load_n(&c->later[vf], __ATOMIC_SEQ_CST) && !take(w, c->name[vf]))
		tell(c->name[vf], "come");
	w->vf = 0;
}

struct start {
	struct crew *crew;
	struct worker *worker;
};

static void work(void *arg)
{
	const struct start *start = arg;
	struct crew *c = start->crew;
	struct worker *w = start->worker;
	unsigned int i;

	while ((i = __atomic_fetch_add(&c->next, 1, __ATOMIC_SEQ_CST)) < 2 * c->n) {
		w->result = (struct bind_result){ .state = BIND_RUNNING };
		look_at(w, c, i);
		__atomic_fetch_add(&c->done, 1, __ATOMIC_RELAXED);
	}
}

static bool is_work_left(const struct crew *c)
{
	return __atomic_load_n(&c->next, __ATOMIC_RELAXED) < 2 * c->n;
}

/* Of fewer than CREW_MAX. 0 or -errno. */
static int start_worker(struct crew *c)
{
	struct start start = { .crew = c, .worker = c->worker };
	int r;

	while (start.worker->running)
		start.worker++;
	r = child_start(work, &start, &start.worker->child);
	start.worker->running = r == 0;
	return r;
}

/* One whose pipe is at its end. */
static void dismiss(struct crew *c, struct worker *w)
{
	int r = child_reap(&w->child);

	w->running = false;
	if (w->vf == 0)
		return;
	/* It cannot say so itself. The others take what it did not come to. */
	bind_report_child(c->name[w->vf - 1], EVENT_HOTPLUG, r, &w->result);
	w->vf = 0;
	__atomic_fetch_add(&c->done, 1, __ATOMIC_RELAXED);
}

/* Waits for a worker to end. How many are still at work, or -errno. */
static int wait_for_end(struct crew *c, int timeout_ms)
{
	struct pollfd p[CREW_MAX];
	struct worker *of[CREW_MAX];
	unsigned int i, n = 0, ended = 0;

	for (i = 0; i < CREW_MAX; i++) {
		if (!c->worker[i].running)
			continue;
		of[n] = &c->worker[i];
		p[n++] = (struct pollfd){ .fd = c->worker[i].child.end, .events = POLLIN };
	}
	if (poll(p, n, timeout_ms) < 0)
		return errno == EINTR ? (int)n : -errno;
	for (i = 0; i < n; i++) {
		if (p[i].revents) {
			dismiss(c, of[i]);
			ended++;
		}
	}
	return (int)(n - ended);
}

/* 0; -ETIMEDOUT: some go on alone; -errno. */
static int run_crew(struct crew *c, unsigned int timeout_ms)
{
	int64_t now = now_ms(), last = now; /* when one was seen to be done */
	unsigned int done = 0, before;
	int r = start_worker(c), running = 1, more;

	while (r >= 0) {
		int64_t left = last + timeout_ms - now;

		if (left > PATIENCE_MS && is_work_left(c) && running < CREW_MAX)
			left = PATIENCE_MS;
		running = wait_for_end(c, (int)left);
		if (running < 0 || (running == 0 && !is_work_left(c)))
			return running;
		now = now_ms();
		before = done;
		done = __atomic_load_n(&c->done, __ATOMIC_RELAXED);
		if (done != before)
			last = now;
		else if (now >= last + timeout_ms)
			return -ETIMEDOUT;
		if (!is_work_left(c) || running == CREW_MAX || done - before > (unsigned int)running)
			continue;
		/* As many again; with one at work there is no need for another. */
		for (more = running > 0 ? running : 1; more > 0 && running < CREW_MAX && (r = start_worker(c)) == 0; more--)
			running++;
		if (running > 0)
			r = 0;
	}
	return r;
}

/* Those that are not over in time, each with what it is at. */
static void report_late(const struct crew *c, const char *pf)
{
	unsigned int i, next = c->next;

	if (next < c->n)
		log_message(LOG_WARNING, pf, "%u of its VFs are not begun with: the processes that wait for others go on with them",
			    c->n - next);

	for (i = 0; i < CREW_MAX; i++) {
		struct bind_result res = c->worker[i].result;

		if (c->worker[i].running && c->worker[i].vf)
			bind_report_child(c->name[c->worker[i].vf - 1], EVENT_HOTPLUG, -ETIMEDOUT, &res);
	}
}

/* The names of a PF's VFs: virtfn0, virtfn1, ... lead to them. How many, *ret to be freed; -errno. */
static int list_vfs(const struct pci_function *pf, char (**ret)[BDF_SIZE])
{
	char (*name)[BDF_SIZE] = NULL, (*more)[BDF_SIZE];
	char link[24];
	int n = 0, r;

	for (;;) {
		more = reallocarray(name, (size_t)n + 1, sizeof(*name));
		r = more ? 0 : -ENOMEM;
		if (more) {
			name = more;
			snprintf(link, sizeof(link), "virtfn%d", n);
			r = sysfs_read_link(pf->dirfd, link, name[n], sizeof(*name));
		}
		if (r < 0)
			break;
		n++;
	}
	if (r != -ENOENT) {
		free(name);
		return r;
	}
	*ret = name;
	return n;
}

static unsigned int timeout_of(const struct pci_function *pf)
{
	struct config_subject who = { .bdf = pf->bdf, .ids = pf->ids };
	struct config *config = NULL;
	struct settings settings;
	char error[512] = "";

	/* Of a broken one each VF says so; that takes no time. */
	if (host_config(&config, error, sizeof(error)) < 0)
		config = NULL;
	config_resolve(config, &who, &settings);
	host_config_done(config);
	return settings.key[KEY_TIMEOUT].ms;
}

/* What all VFs ask about the host is found out by the first, and before there are children, each of which would do it anew. */
static void ask_once(const char *name)
{
	struct occasion occasion = { .event = EVENT_HOTPLUG, .locked = true, .quick = true };
	struct judgement j;
	const char *attr;

	if (host_is_off() == 0 && judge(&j, name, &occasion, &attr) == 0)
		judge_free(&j);
}

int vfs_take(const char *pf)
{
	_cleanup_pci_ struct pci_function fn = { .dirfd = -1 };
	_cleanup_free_ char (*name)[BDF_SIZE] = NULL;
	const char *attr = NULL;
	struct crew *c;
	int r, n;

	r = pci_open(pf, &fn, &attr);
	if (r < 0)
		return event_failed(pf, attr, r);
	n = list_vfs(&fn, &name);
	if (n <= 0)
		return n < 0 ? event_failed(pf, NULL, n) : EXIT_CODE_OK;
	c = child_memory(sizeof(*c) + (size_t)n);
	if (!c)
		return event_failed(pf, NULL, -ENOMEM);
	host_keep(true);
	ask_once(name[0]);
	c->name = name;
	c->n = (unsigned int)n;
	r = run_crew(c, timeout_of(&fn) + CHILD_GRACE_MS);
	if (r == -ETIMEDOUT)
		report_late(c, pf);
	host_keep(false);
	if (r == -ETIMEDOUT)
		return EXIT_CODE_OK;
	/* A child that was killed right when it began with one. */
	if (r == 0 && c->done < 2 * c->n)
		r = -ECHILD;
	if (r == 0)
		return EXIT_CODE_OK;
	log_message(LOG_ERR, pf, "not all of its VFs were come to: %s; `udevadm trigger` takes them", strerror(-r));
	return EXIT_CODE_FAILED;
}
