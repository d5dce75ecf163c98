export const SHELLS = ['bash', 'zsh', 'fish'] as const;

export type Shell = (typeof SHELLS)[number];

/*
 * The scripts ask `chasqui __complete` for what may stand at the cursor. They know nothing of the commands, so they stay
 * right when the commands change.
 */

/** bash breaks words at `:` and `=` too, so that it replaces only what follows the last of these. */
const BASH = `# chasqui completion for bash: eval "$(chasqui completion bash)"
_chasqui() {
  local line="\${COMP_LINE:0:COMP_POINT}" word value quoted before
  word="\${line##*[[:space:]]}"
  before="\${word%"\${word##*[:=]}"}"
  COMPREPLY=()
  while IFS=$'\\t' read -r value _; do
    printf -v quoted '%q' "$value"
    quoted="\${quoted#"$before"}"
    case "$value" in
      */ | *=) compopt -o nospace 2>/dev/null ;;
    esac
    COMPREPLY+=("$quoted")
  done < <("\${COMP_WORDS[0]}" __complete --line "$line" 2>/dev/null)
}
complete -F _chasqui chasqui
`;

const ZSH = `#compdef chasqui
# chasqui completion for zsh: source <(chasqui completion zsh), after compinit
_chasqui() {
  local line value about
  local -a candidates
  while IFS= read -r line; do
    value="\${line%%$'\\t'*}"
    about="\${line#*$'\\t'}"
    [[ "$about" == "$line" ]] && about=""
    candidates+=("\${value//:/\\\\:}\${about:+:$about}")
  done < <("\${(Q)words[1]}" __complete -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null)
  (( \${#candidates} )) && _describe -V 'chasqui' candidates
}
if [[ "$funcstack[1]" == _chasqui ]]; then
  _chasqui "$@"
else
  compdef _chasqui chasqui
fi
`;

const FISH = `# chasqui completion for fish: chasqui completion fish | source
function __chasqui_complete
  set -l words (commandline -opc)
  $words[1] __complete -- $words[2..] (commandline -ct | string unescape) 2>/dev/null
end
complete -c chasqui -f -k -a '(__chasqui_complete)'
`;

export const SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
