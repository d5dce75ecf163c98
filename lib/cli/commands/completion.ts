import { Argument } from 'commander';
import type { Command } from 'commander';
import { SHELLS } from '../completion/scripts.js';
import { lazily } from '../frame/lazy.js';

const SETUP = `
bash: add to ~/.bashrc                     eval "$(chasqui completion bash)"
zsh:  add to ~/.zshrc, after compinit      source <(chasqui completion zsh)
fish: run once                             chasqui completion fish > ~/.config/fish/completions/chasqui.fish`;

export function registerCompletion(program: Command): void {
  program
    .command('completion')
    .summary('print the completion script of a shell')
    .description('Prints a script that completes commands, options and the names of queues.')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText('after', SETUP)
    .action(lazily(async () => (await import('../actions/completion.js')).completion));
}
