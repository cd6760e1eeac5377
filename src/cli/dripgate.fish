# Completion of dripgate's command line, for fish.  Commands and options are those
# that dripgate --help lists.

# All commands, each with a tab and what it does.
function __dripgate_commands
    $argv[1] --help 2>/dev/null | sed -n \
        '/^commands:/,/^$/s/^  \([a-z-]*\( [a-z-]\{1,\}\)\{0,1\}\) .*  \([^ ].*\)/\1\t\3/p'
end

# The options of a command (from $argv[2] on), or of all, in the same form.
function __dripgate_options
    $argv --help 2>/dev/null | sed -n \
        '/^options:/,/^$/s/^  .\{4\}\(--[a-z-]*\).*  \([^ ].*\)/\1\t\2/p'
end

function __dripgate_complete
    set -l tokens (commandline -opc)
    set -l now (commandline -ct)
    set -l program $tokens[1]
    set -l takes_file '^(-[cs]|--(config|socket|secret-file|password-file|record|demand|against|chart))$'
    set -l takes_word '^(-[ultwHm]|--(user|spread|listen|timeout|wait|header|count|live|author|message|nodes|for|reason|id))$'
    set -l given
    set -l is_argument no

    # The words before the cursor that are neither an option nor its argument.
    for token in $tokens[2..-1]
        if test $is_argument != no
            set is_argument no
        else if string match -rq -- $takes_file $token
            set is_argument file
        else if string match -rq -- $takes_word $token
            set is_argument word
        else if not string match -q -- '-*' $token
            set -a given $token
        end
    end

    if test $is_argument = file
        __fish_complete_path $now
        return
    else if test $is_argument = word
        return
    else if string match -q -- '-*' $now
        __dripgate_options $program $given[1..2]
        return
    end
    set -l usage ''
    if test (count $given) -gt 0; and test $given[1] = help
        set -e given[1]
    else if test (count $given) -eq 2
        set usage ($program $given --help 2>/dev/null)[1]
    end
    switch (count $given)
        case 0
            # Of those that begin with the same word, the first stands for all.
            __dripgate_commands $program | string replace -r '^([a-z-]+) [a-z-]+\t' '$1\t' |
                awk -F '\t' '!seen[$1]++'
        case 1
            __dripgate_commands $program | string replace -rf "^"(string escape --style=regex -- $given[1])" " ''
        case 2
            if string match -q '*FILE*' -- $usage
                __fish_complete_path $now
            end
    end
end

complete -c dripgate -f -a '(__dripgate_complete)'
