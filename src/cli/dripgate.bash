# Completion of dripgate's command line, for bash.  Commands and options are those
# that dripgate --help tells of.

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
	local takes_argument='^(-[csltwH]|--(config|socket|password-file|listen|timeout|wait|spread|count|header))$'
	local i commands words=()

	COMPREPLY=()
	if [[ $last =~ ^(-[cs]|--config|--socket|--password-file)$ ]]; then
		_dripgate_files
		return
	fi
	[[ $last =~ $takes_argument ]] && return

	# The words before the cursor that are neither an option nor its argument.
	for ((i = 1; i < COMP_CWORD; i++)); do
		if [[ ${COMP_WORDS[i]} =~ $takes_argument ]]; then
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
	commands=$(_dripgate_commands "$program")
	case ${#words[@]},${words[*]} in
	0,*)
		_dripgate_reply -W "$(cut -d ' ' -f 1 <<<"$commands" | sort -u)"
		;;
	1,limits | 1,topology)
		_dripgate_reply -W \
		    "$(sed -n "s/^${words[0]} //p" <<<"$commands")"
		;;
	[2-9],"limits import-envoy"* | 2,"limits check" | 2,"limits test" | 2,"limits load" | 2,"limits diff" | 2,"limits dump")
		_dripgate_files
		;;
	esac
}

complete -F _dripgate dripgate
