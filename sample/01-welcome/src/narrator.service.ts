import { Injectable } from '@nestjs/common';
import type { Job } from 'nestjs-chasqui';

const INDENT = ' '.repeat(14);
const colors = process.stdout.isTTY && process.env['NO_COLOR'] === undefined;

/** Prints what happens, and when. */
@Injectable()
export class Narrator {
  #calls = 0;
  #counting = true;

  title(text: string): void {
    console.log(`\n${paint('1', text)}\n`);
  }

  /** A time stamp and a text. */
  say(text: string): void {
    const time = new Date().toISOString().slice(11, 23);
    console.log(`${paint('2', time)}  ${text}`);
  }

  detail(text: string): void {
    console.log(`${INDENT}${paint('36', text)}`);
  }

  /** One call of the handler. */
  call(job: Job): void {
    if (this.#counting) {
      this.#calls += 1;
      console.log(`call #${this.#calls} for job ${job.id} (attempt ${job.attemptsMade})`);
    } else {
      this.say(`The replayed job ${job.id} runs (attempt ${job.attemptsMade}).`);
    }
  }

  /** From now on, calls are replays, and the tutorial no longer counts them. */
  stopCounting(): void {
    this.#counting = false;
  }
}

function paint(code: string, text: string): string {
  return colors ? `\u001b[${code}m${text}\u001b[0m` : text;
}
