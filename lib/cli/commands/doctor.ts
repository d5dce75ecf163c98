import type { Command } from 'commander';
import { lazily } from '../frame/lazy.js';

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .summary('check the server and the queues, and say what to do')
    .description(
      'Checks the server and the queues: version, persistence, eviction, memory, clock, permissions, groups, workers, dead letters, schedules. Each finding says what to do. It changes nothing. Exit code 0: all is well; 10: warnings; 11: errors.',
    )
    .argument('[queue]', 'check only this queue, and the server. Default: all queues')
    .option('-q, --quiet', 'print only warnings and errors')
    .action(lazily(async () => (await import('../actions/doctor.js')).doctor));
}
