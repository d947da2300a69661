import { shellQuote } from '../../artifact/types/commands.ts';
import { BLIND, CLAIR_URL, commandLine, DATABASE_VARIABLES, OFFLINE, type ScanCommand } from './scanners.ts';

const HEAD = `#!/bin/sh
# Scans all inputs of this directory without a network, one after the other, and goes on when one fails.
#   sh run.sh            all scanners that are installed
#   sh run.sh trivy      one scanner, which must be installed then
# Results are in results/, what scanners say in results/logs/. It ends with 1 when a scan failed, or none of the scanners is there.
# Databases are where the caller says, from where he stands, in the variables of the scanners that are named here.
for name in ${DATABASE_VARIABLES.join(' ')}; do
  eval "value=\\$$name"
  case "$value" in '' | /*) ;; *) export "$name=$PWD/$value" ;; esac
done
cd "$(dirname "$0")" || exit 1
mkdir -p results/logs
wanted=$1
done=0 failed=0 missing='' known=''
: "\${CLAIR_URL:=${CLAIR_URL}}"
`;

const FUNCTION = `
# scan NAME RESULT PROGRAM COMMAND [WORDS]
scan() {
  case " $known " in *" $1 "*) ;; *) known="$known $1" ;; esac
  case "$wanted" in '' | "$1") ;; *) return ;; esac
  if ! command -v "$3" >/dev/null 2>&1; then
    case " $missing " in *" $3 "*) ;; *) missing="$missing $3" ;; esac
    return
  fi
  log="results/logs/\${2#results/}.log"
  # A result of an earlier run would stand for one that fails now.
  rm -f "$2" "$2.partial"
  status=0
  (eval "$4") >"$log" 2>&1 || status=$?
  # A result of a scanner that had no database for some packages would make them look sound.
  if [ -n "$5" ] && grep -q -- "$5" "$log"; then
    rest=''
    if [ -e "$2" ]; then mv "$2" "$2.partial" && rest=" $2.partial is not all,"; fi
    failed=$((failed + 1))
    echo "failed: $1 lacks databases,$rest see $log" >&2
    grep -- "$5" "$log" | head -n 3 | tell
  # Several scanners end badly when they have found something.
  elif [ "$status" -eq 0 ] || [ -s "$2" ]; then
    done=$((done + 1))
  else
    failed=$((failed + 1))
    echo "failed: $1 with status $status, see $log" >&2
    tail -n 1 "$log" | tell
  fi
}

tell() { cut -c 1-300 | LC_ALL=C tr -c '[:print:]\\n' ' ' | sed 's/^/  /' >&2; }
`;

const FOOT = `
for program in $missing; do echo "not installed: $program" >&2; done
if [ -n "$wanted" ]; then
  case " $known " in *" $wanted "*) ;; *) echo "nothing here is for $wanted, only for:$known" >&2 && exit 64 ;; esac
  # Who names a scanner counts on it.
  if [ -n "$missing" ]; then exit 1; fi
fi
echo "$done scanned, $failed failed" >&2
# Where no scanner is there, nothing was found to be right.
if [ "$done" -eq 0 ] && [ -n "$missing" ]; then exit 1; fi
[ "$failed" -eq 0 ]
`;

/** A shell script that runs the commands. Nothing of what images are called is ever read as a part of the script. */
export function composeScript(commands: readonly ScanCommand[]): string {
  const variables = Object.entries(OFFLINE).map(([name, value]) => `export ${name}=${value}`);
  const lines = commands.map((command) => {
    const [program = ''] = command.argv;
    const line = commandLine(command).replace(CLAIR_URL, '"$CLAIR_URL"');
    const blind = BLIND[program];
    const words = [command.scanner, command.result, program, line, ...(blind === undefined ? [] : [blind])];
    return `scan ${words.map(shellQuote).join(' ')}`;
  });
  return [HEAD, ...variables, FUNCTION, ...lines, FOOT].join('\n');
}
