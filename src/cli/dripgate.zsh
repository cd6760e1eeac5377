#compdef dripgate
# Completion of dripgate's command line, for zsh.  Commands and options are those
# that dripgate --help lists.

# All commands, "name:what it does", one a line.
_dripgate_commands()
{
	$1 --help 2>/dev/null | sed -n \
	    '/^commands:/,/^$/s/^  \([a-z-]*\( [a-z-]\{1,\}\)\{0,1\}\) .*  \([^ ].*\)/\1:\3/p'
}

# The options of a command (from $2 on), or of all, in the same form.
_dripgate_options()
{
	"$@" --help 2>/dev/null |
	    sed -n '/^options:/,/^$/s/^  .\{4\}\(--[a-z-]*\).*  \([^ ].*\)/\1:\2/p'
}

_dripgate()
{
	local program=$words[1] last=$words[CURRENT-1] word usage
	local takes_file='(-[cs]|--(config|socket|secret-file|password-file|record|demand|against|chart))'
	local takes_word='(-[ultwHm]|--(user|spread|listen|timeout|wait|header|count|live|author|message|nodes|for|reason|id))'
	local -a given commands found
	local -i i

	case $last in
	${~takes_file}) _files; return ;;
	${~takes_word}) return 1 ;;
	esac

	# The words before the cursor that are neither an option nor its argument.
	for ((i = 2; i < CURRENT; i++)); do
		case $words[i] in
		${~takes_file}|${~takes_word}) ((i++)) ;;
		-*) ;;
		*) given+=("$words[i]") ;;
		esac
	done

	if [[ $words[CURRENT] == -* ]]; then
		found=("${(@f)$(_dripgate_options $program $given[1,2])}")
		_describe -o option found
		return
	fi
	if [[ $given[1] == help ]]; then
		shift given
	elif (($#given == 2)); then
		usage=$($program $given --help 2>/dev/null | head -n 1)
	fi
	commands=("${(@f)$(_dripgate_commands $program)}")
	case $#given in
	0)
		# Of those that begin with the same word, the first stands for all.
		for word in $commands; do
			i=$found[(I)${word%%[ :]*}:*]
			((i)) || found+=("${word%%[ :]*}:${word#*:}")
		done
		_describe command found
		;;
	1)
		found=("${(@)${(@M)commands:#$given[1] *}#* }")
		(($#found)) && _describe command found
		;;
	2)
		[[ $usage == *FILE* ]] && _files
		;;
	*)
		return 1
		;;
	esac
}

_dripgate "$@"
