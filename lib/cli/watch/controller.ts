import { EventEmitter } from 'node:events';
import { printable } from '../../engine/base/printable.js';
import { messageOf } from '../../engine/base/thrown.js';
import type { DlqEntry, Queue } from '../../engine/index.js';
import type { Context } from '../frame/context.js';
import { grouped } from '../output/values.js';
import type { Monitor, QueueView } from './monitor.js';

/** A key, as ink names it. */
export interface Key {
  readonly text: string;
  readonly name:
    | 'up'
    | 'down'
    | 'pageUp'
    | 'pageDown'
    | 'home'
    | 'end'
    | 'enter'
    | 'escape'
    | 'tab'
    | 'shiftTab'
    | 'backspace'
    | 'ctrl-c'
    | 'ctrl-z'
    | undefined;
}

/** What the screen shows. */
export type View =
  | { readonly kind: 'queues' }
  | { readonly kind: 'help' }
  | { readonly kind: 'workers'; first: number }
  | {
      readonly kind: 'dead letters';
      readonly queue: string;
      letters: readonly DlqEntry[] | undefined;
      selected: number;
    }
  | { readonly kind: 'dead letter'; readonly list: LettersView; readonly letter: DlqEntry; first: number };
export type LettersView = Extract<View, { kind: 'dead letters' }>;

/** A question in the last line. */
export interface Prompt {
  readonly question: string;
  /** What is typed, for a question that wants a number. */
  typed: string | undefined;
  readonly answer: (typed: string) => void;
}

export interface Message {
  readonly text: string;
  readonly tone: 'good' | 'bad' | 'plain';
}

/** Most dead letters that are listed. */
const LETTERS = 200;

interface ControllerEvents {
  change: [];
  quit: [];
  suspend: [];
}

/** What the keys do. It knows nothing of how the screen is drawn. */
export class Controller extends EventEmitter<ControllerEvents> {
  view: View = { kind: 'queues' };
  prompt: Prompt | undefined;
  message: Message | undefined;
  readonly #context: Context;
  readonly #monitor: Monitor;
  #selected: string | undefined;
  /** How many rows a list has on the screen now, for the keys that move by a page. */
  pageRows = 10;

  constructor(context: Context, monitor: Monitor) {
    super();
    this.#context = context;
    this.#monitor = monitor;
    monitor.select(this.selected?.name);
  }

  /** The selected queue; undefined if there is none at all. */
  get selected(): QueueView | undefined {
    const { queues } = this.#monitor;
    return queues.find(({ name }) => name === this.#selected) ?? queues[0];
  }

  get selectedIndex(): number {
    return Math.max(
      0,
      this.#monitor.queues.findIndex(({ name }) => name === this.selected?.name),
    );
  }

  press(key: Key): void {
    this.message = undefined;
    if (key.name === 'ctrl-c') this.emit('quit');
    else if (key.name === 'ctrl-z') this.emit('suspend');
    else if (this.prompt) this.#answer(this.prompt, key);
    else if (key.text === 'q') this.emit('quit');
    else if (key.text === '?') this.#show(this.view.kind === 'help' ? { kind: 'queues' } : { kind: 'help' });
    else if (key.name === 'escape') this.#back();
    else this.#pressIn(this.view, key);
    this.emit('change');
  }

  #pressIn(view: View, key: Key): void {
    switch (view.kind) {
      case 'queues':
        this.#move(key);
        this.#command(key);
        break;
      case 'workers':
        view.first = moved(view.first, key, this.#monitor.workers.length, this.pageRows);
        if (key.text === 'w') this.#back();
        else this.#command(key);
        break;
      case 'dead letters':
        this.#pressInLetters(view, key);
        break;
      case 'dead letter':
        view.first = Math.max(0, view.first + stepOf(key, this.pageRows, view.first));
        if (key.text === 'r') this.#askToReplayOne(view.letter, view.list.queue);
        else if (key.text === 'd' || key.name === 'enter') this.#back();
        break;
      case 'help':
        this.#show({ kind: 'queues' });
    }
  }

  #pressInLetters(view: LettersView, key: Key): void {
    const letters = view.letters ?? [];
    view.selected = moved(view.selected, key, letters.length, this.pageRows);
    const letter = letters[view.selected];
    if (key.text === 'd') this.#back();
    else if (key.text === 'R') this.#askHowManyToReplay(view.queue);
    else if (!letter) return;
    else if (key.name === 'enter') this.view = { kind: 'dead letter', list: view, letter, first: 0 };
    else if (key.text === 'r') this.#askToReplayOne(letter, view.queue);
  }

  /** The keys that do something with the selected queue. */
  #command({ text }: Key): void {
    if (text === 'g') this.#monitor.rediscover();
    const name = this.selected?.name;
    if (name === undefined) return;
    if (text === 'p') this.#askToPause(name);
    else if (text === 'r') this.#askHowManyToReplay(name);
    else if (text === 'w') this.#show({ kind: 'workers', first: 0 });
    else if (text === 'd') this.#openLetters(name);
  }

  #move(key: Key): void {
    const { queues } = this.#monitor;
    const forward = key.name === 'tab' ? 1 : key.name === 'shiftTab' ? -1 : 0;
    const index =
      forward !== 0 && queues.length > 0
        ? (this.selectedIndex + forward + queues.length) % queues.length
        : moved(this.selectedIndex, key, queues.length, this.pageRows);
    this.#selected = queues[index]?.name;
    this.#monitor.select(this.#selected);
  }

  #back(): void {
    this.#show(this.view.kind === 'dead letter' ? this.view.list : { kind: 'queues' });
  }

  #show(view: View): void {
    this.view = view;
  }

  #answer(prompt: Prompt, key: Key): void {
    if (key.name === 'escape' || (prompt.typed === undefined && /^n$/i.test(key.text))) {
      this.prompt = undefined;
      this.message = { text: 'Nothing was done.', tone: 'plain' };
    } else if (prompt.typed === undefined) {
      if (!/^y$/i.test(key.text)) return;
      this.prompt = undefined;
      prompt.answer('y');
    } else if (key.name === 'enter') {
      this.prompt = undefined;
      prompt.answer(prompt.typed);
    } else if (key.name === 'backspace') prompt.typed = prompt.typed.slice(0, -1);
    else if (/^\d+$/.test(key.text)) prompt.typed = (prompt.typed + key.text).slice(0, 9);
  }

  #confirm(question: string, act: () => Promise<string>): void {
    this.prompt = {
      question: `${question} y/n`,
      typed: undefined,
      answer: () => {
        void this.#do(act);
      },
    };
  }

  #askToPause(name: string): void {
    const shown = printable(name);
    if (this.selected?.backlog?.paused) {
      this.#confirm(`Resume queue ${shown}?`, async () => {
        await (await this.#queue(name)).resume();
        return `Queue ${shown} runs again.`;
      });
      return;
    }
    this.#confirm(`Pause queue ${shown} on all workers?`, async () => {
      await (await this.#queue(name)).pause();
      return `Queue ${shown} is paused. Running jobs finish.`;
    });
  }

  #askToReplayOne(letter: DlqEntry, name: string): void {
    const job = printable(letter.jobId ?? letter.dlqId);
    this.#confirm(`Replay job ${job}?`, async () => {
      const queue = await this.#queue(name);
      const moved = await queue.replayDlq({ ids: [letter.dlqId] });
      if (this.view.kind === 'dead letter') this.#back();
      await this.#loadLetters();
      return moved > 0
        ? `Job ${job} waits again.`
        : `Job ${job} was not replayed: it is no dead letter any more, or its bytes are no job.`;
    });
  }

  #askHowManyToReplay(name: string): void {
    const there = this.#monitor.queues.find((queue) => queue.name === name)?.backlog?.deadLetters ?? 0;
    if (there === 0) {
      this.message = { text: `Queue ${printable(name)} has no dead letters.`, tone: 'plain' };
      return;
    }
    this.prompt = {
      question: `Replay how many of ${grouped(there)} dead letters, oldest first? (Enter: all)`,
      typed: '',
      answer: (typed) => {
        const count = typed === '' ? there : Number(typed);
        if (count === 0) return;
        const what = count === 1 ? '1 dead letter' : `${grouped(Math.min(count, there))} dead letters`;
        this.#confirm(`Replay ${what} of ${printable(name)}?`, async () => {
          const moved = await (await this.#queue(name)).replayDlq(count);
          await this.#loadLetters();
          return moved === 1 ? '1 job waits again.' : `${grouped(moved)} jobs wait again.`;
        });
        this.emit('change');
      },
    };
  }

  #openLetters(queue: string): void {
    this.view = { kind: 'dead letters', queue, letters: undefined, selected: 0 };
    void this.#loadLetters().catch((error: unknown) => {
      this.#fail(error);
    });
  }

  async #loadLetters(): Promise<void> {
    const { view } = this;
    const list = view.kind === 'dead letter' ? view.list : view;
    if (list.kind !== 'dead letters') return;
    const queue = await this.#queue(list.queue);
    const { entries } = await queue.getDlq({ order: 'newest', limit: LETTERS });
    list.letters = entries;
    list.selected = Math.min(list.selected, Math.max(0, entries.length - 1));
    this.emit('change');
  }

  async #do(act: () => Promise<string>): Promise<void> {
    this.message = { text: 'Working …', tone: 'plain' };
    try {
      this.message = { text: await act(), tone: 'good' };
      this.#monitor.refresh();
    } catch (error) {
      this.#fail(error);
    }
    this.emit('change');
  }

  #fail(error: unknown): void {
    this.message = { text: printable(messageOf(error)), tone: 'bad' };
    this.emit('change');
  }

  #queue(name: string): Promise<Queue> {
    return this.#context.queue(name, { create: true });
  }
}

/** Where a key moves to in a list. */
function moved(index: number, key: Key, count: number, page: number): number {
  if (key.name === 'home') return 0;
  if (key.name === 'end') return Math.max(0, count - 1);
  return Math.min(Math.max(0, index + stepOf(key, page, index)), Math.max(0, count - 1));
}

function stepOf({ name, text }: Key, page: number, from: number): number {
  if (name === 'up' || text === 'k') return -1;
  if (name === 'down' || text === 'j') return 1;
  if (name === 'pageUp') return -page;
  if (name === 'pageDown') return page;
  return name === 'home' ? -from : 0;
}
