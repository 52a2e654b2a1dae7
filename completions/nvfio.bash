# SPDX-License-Identifier: GPL-2.0-or-later
#
# Completion of nvfio(8) for bash. Reads /sys/bus/pci and starts nothing but nvfio itself, for the names of columns.
# shellcheck shell=bash

# The addresses of NVIDIA functions.
_nvfio_functions() {
	local dev vendor
	for dev in /sys/bus/pci/devices/*; do
		read -r vendor 2>/dev/null <"$dev/vendor" && [[ $vendor == 0x10de ]] && printf '%s\n' "${dev##*/}"
	done
}

_nvfio_columns() {
	nvfio --help 2>/dev/null | sed -n '/^Columns:$/,$s/^  \([A-Z]*\) .*/\1/p'
}

_nvfio() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb='' word words=''
	# "=" and ":" break words: --event=h is three of them, 0000:01:00.0 is five.
	if declare -F _get_comp_words_by_ref >/dev/null; then
		_get_comp_words_by_ref -n : cur prev
	fi
	[[ $cur == = ]] && cur=''
	[[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}
	for word in "${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
		case $word in
		list | explain | config)
			verb=$word
			break
			;;
		esac
	done
	case $prev in
	--event) words='hotplug trigger boot release' ;;
	-o | --output | -x | --sort) words=$(_nvfio_columns) ;;
	--check)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--sysroot)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	*)
		case $verb in
		'') words='list explain config --all --output --output-all --sort --tree --noheadings --raw --pairs' ;;
		list) words='--all --output --output-all --sort --tree --noheadings --raw --pairs' ;;
		explain) words="--event $(_nvfio_functions)" ;;
		config) words='--check' ;;
		esac
		words+=' --json --sysroot --help --version'
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	if declare -F __ltrim_colon_completions >/dev/null; then
		__ltrim_colon_completions "$cur"
	fi
}

complete -F _nvfio nvfio
