// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nvfio check: what gets in the way without meaning to manage anything. Services that keep every GPU open, and udev rules that
 * came with other packages or from a tutorial.
 */
#include "check.h"

#include <limits.h>
#include "sysfs.h"

/* Those that keep every GPU of nvidia's open, as the kernel cuts their names (TASK_COMM_LEN). */
static const char *service_of(const char *comm)
{
	static const char *const names[][2] = {
		{ "nvidia-persiste", "nvidia-persistenced" }, { "nv-hostengine", "nvidia-dcgm" },
		{ "dcgm-exporter", "dcgm-exporter" }, { "nvidia-powerd", "nvidia-powerd" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (streq(comm, names[i][0]))
			return names[i][1];
	}
	return NULL;
}

void check_services(const struct host *host, struct finding *f)
{
	_cleanup_dir_ DIR *dir = sysfs_list_path("/proc");
	struct crowd found = { .n = 0 };
	const struct dirent *de;
	bool matters = false;
	char first[64] = "";
	size_t i;

	while (dir && (de = readdir(dir))) {
		char path[PATH_MAX], comm[32];

		snprintf(path, sizeof(path), "/proc/%s/comm", de->d_name);
		if (strspn(de->d_name, "0123456789") != strlen(de->d_name) || host_line(path, comm, sizeof(comm)) < 0 ||
		    !service_of(comm))
			continue;
		if (!first[0])
			snprintf(first, sizeof(first), "%s", service_of(comm));
		crowd_add(&found, "%s (pid %s)", service_of(comm), de->d_name);
	}
	for (i = 0; i < host->n; i++)
		matters |= host->functions[i].wanted && streq(host->functions[i].driver, "nvidia");
	if (found.n == 0) {
		finding_say(f, GRADE_OK, NULL, "no service that keeps GPUs open");
		return;
	}
	finding_say(f, matters ? GRADE_NOTE : GRADE_OK, matters ? "It keeps every GPU of the nvidia driver open. A wanted GPU that is on nvidia "
		    "counts as used, and is deferred for as long as that lasts." : NULL, "%s", crowd_text(&found));
	if (matters)
		finding_mend(f, SYSTEM_ALL, "systemctl stop %s, or have it leave the wanted GPUs out", first);
}

enum rule { RULE_NONE, RULE_REMOVES, RULE_BINDS };

/* NVIDIA's power-management samples remove companions; home-made rules write driver_override. Comparisons are neither. */
static enum rule judge_rule(const char *line)
{
	const char *s;

	if (line[strspn(line, " \t")] == '#')
		return RULE_NONE;
	s = strstr(line, "ATTR{remove}=");
	if (s && s[strlen("ATTR{remove}=")] != '=' && strstr(line, "10de"))
		return RULE_REMOVES;
	s = strstr(line, "ATTR{driver_override}=");
	return s && s[strlen("ATTR{driver_override}=")] != '=' ? RULE_BINDS : RULE_NONE;
}

static enum rule judge_rules(char *text)
{
	enum rule found = RULE_NONE;
	char *s;

	for (s = strstr(text, "\\\n"); s; s = strstr(s, "\\\n"))
		s[0] = s[1] = ' ';
	while (found == RULE_NONE && (s = strsep(&text, "\n")))
		found = judge_rule(s);
	return found;
}

void check_other_rules(const struct host *host _unused_, struct finding *f)
{
	static const char *const dirs[] = { "/etc/udev/rules.d", "/run/udev/rules.d", "/usr/lib/udev/rules.d" };
	struct crowd removes = { .n = 0 }, binds = { .n = 0 };
	unsigned int i;
	int r;

	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		_cleanup_dir_ DIR *dir = sysfs_list_path(dirs[i]);
		const struct dirent *de;

		while (dir && (de = readdir(dir))) {
			_cleanup_free_ char *text = NULL;
			char path[PATH_MAX];
			enum rule rule;

			snprintf(path, sizeof(path), "%s/%s", dirs[i], de->d_name);
			if (startswith(de->d_name, "70-nvfio") || !(text = host_file(path, &r)))
				continue;
			rule = judge_rules(text);
			if (rule != RULE_NONE)
				crowd_add(rule == RULE_REMOVES ? &removes : &binds, "%s", path);
		}
	}
	if (removes.n > 0)
		finding_say(f, GRADE_NOTE, "It removes the audio, USB and UCSI functions of NVIDIA cards from the host when they appear: a VM gets the "
			    "GPU without them.", "rules that remove functions: %s", crowd_text(&removes));
	else if (binds.n > 0)
		finding_say(f, GRADE_NOTE, "It writes driver_override itself. nvfio then takes the function for another manager's, and leaves it.",
			    "rules that write driver_override: %s", crowd_text(&binds));
	else
		finding_say(f, GRADE_OK, NULL, "no other udev rule removes or binds functions");
	if (removes.n + binds.n > 0)
		finding_mend(f, SYSTEM_ALL, "take those lines out, or mask the file: ln -s /dev/null /etc/udev/rules.d/NAME.rules");
}
