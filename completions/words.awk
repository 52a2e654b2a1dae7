# SPDX-License-Identifier: GPL-2.0-or-later
# nvfio --help is read here, so that no verb or option has to be added to a completion. What may come next is printed, a
# word a line; @BDF, @FILE, @DIR, @DRIVER and @NAME stand for one of these. verb: the verb so far; option: the option
# whose value is wanted. Within quotes of three shells: no single quote.
function values(kind, text, i, n, w) {
	if (kind == "LIST" || kind == "COLUMN")
		columns = 1
	else if (kind ~ /^(BDF|FILE|DIR|DRIVER|NAME)$/)
		print "@" kind
	else {
		sub(/.*: /, "", text)
		gsub(/ *[(][^)]*[)]/, "", text)
		n = split(text, w, / or |, */)
		for (i = 1; i <= n; i++)
			print w[i]
	}
}
BEGIN { mine = verb == "" ? "list" : verb }
/^[A-Za-z, ]+:$/ { head = " " $0; gsub(/[,:]/, " ", head); next }
head == "" && / nvfio / && / BDF/ && option == "" && $0 ~ "[ |]" verb "[ |]" && verb != "" { print "@BDF" }
head == "" && /^  [a-z]/ && verb == "" && option == "" { print $1 }
head ~ /^ Columns/ && columns { print $1 }
/^ +-/ && (head ~ / all / || index(head, " " mine " ")) {
	match($0, /--[a-z-]+/)
	name = substr($0, RSTART, RLENGTH)
	text = kind = substr($0, RSTART + RLENGTH)
	sub(/^[^ ]* */, "", text)
	# "bind: ..." is of one of the verbs that the heading names.
	if (text ~ /^[a-z]+: / && " " text !~ "[ ;]" mine ": ")
		next
	if (option == "")
		print name
	else if (kind ~ /^=/ && (option == name || $1 == option ",")) {
		gsub(/^=| .*/, "", kind)
		values(kind, text)
	}
}
