# Completion of dripgate's command line, for bash.  Commands and options are those
# that dripgate --help lists.

# All commands, one a line.
_dripgate_commands()
{
	"$1" --help 2>/dev/null | sed -n \
	    '/^commands:/,/^$/s/^  \([a-z-]*\( [a-z-]\{1,\}\)\{0,1\}\) .*/\1/p'
}

# The options of a command (from $2 on), or of all, one a line.
_dripgate_options()
{
	"$@" --help 2>/dev/null |
	    sed -n '/^options:/,/^$/s/^  .\{4\}\(--[a-z-]*\).*/\1/p'
}

_dripgate_reply()
{
	mapfile -t COMPREPLY < <(compgen "$@" -- "${COMP_WORDS[COMP_CWORD]}")
}

_dripgate_files()
{
	compopt -o filenames 2>/dev/null
	_dripgate_reply -f
}

_dripgate()
{
	local program=${COMP_WORDS[0]} last=${COMP_WORDS[COMP_CWORD - 1]}
	local takes_file='^(-[cs]|--(config|socket|secret-file|password-file|record|demand|against|chart))$'
	local takes_word='^(-[ultwHm]|--(user|spread|listen|timeout|wait|header|count|live|author|message|nodes|for|reason|id))$'
	local i commands words=()

	COMPREPLY=()
	if [[ $last =~ $takes_file ]]; then
		_dripgate_files
		return
	fi
	[[ $last =~ $takes_word ]] && return

	# The words before the cursor that are neither an option nor its argument.
	for ((i = 1; i < COMP_CWORD; i++)); do
		if [[ ${COMP_WORDS[i]} =~ $takes_file || ${COMP_WORDS[i]} =~ $takes_word ]]; then
			((i++))
		elif [[ ${COMP_WORDS[i]} != -* ]]; then
			words+=("${COMP_WORDS[i]}")
		fi
	done

	if [[ ${COMP_WORDS[COMP_CWORD]} == -* ]]; then
		_dripgate_reply -W \
		    "$(_dripgate_options "$program" "${words[@]:0:2}")"
		return
	fi
	local usage=
	if [[ ${words[0]} == help ]]; then
		words=("${words[@]:1}")
	elif [[ ${#words[@]} -ge 1 ]]; then
		usage=$("$program" "${words[@]:0:2}" --help 2>/dev/null | head -n 1)
	fi
	commands=$(_dripgate_commands "$program")
	case ${#words[@]} in
	0)
		_dripgate_reply -W "$(cut -d ' ' -f 1 <<<"$commands" | sort -u)"
		;;
	1)
		_dripgate_reply -W \
		    "$(sed -n "s/^${words[0]//[!a-z]/} //p" <<<"$commands")"
		[[ $usage == "usage: dripgate ${words[0]} FILE"* ]] && _dripgate_files
		;;
	2)
		[[ $usage == "usage: dripgate ${words[*]} "*FILE* ]] && _dripgate_files
		;;
	*)
		[[ $usage == *FILE...* ]] && _dripgate_files
		;;
	esac
}

complete -F _dripgate dripgate
