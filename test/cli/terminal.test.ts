import { describe, expect, it } from 'vitest';
import { useTerminals } from './support/terminal.js';

const terminals = useTerminals({ columns: 60, rows: 8 });
const sh = (script: string, options = {}) => terminals.run(['sh', '-c', script], options);
const node = (script: string) => terminals.run([process.execPath, '-e', script]);

describe('the terminal of the tests', () => {
  it('has the size that the test sets', async () => {
    const terminal = await sh('stty size');
    expect((await terminal.exit()).code).toBe(0);
    expect(terminal.text).toBe('8 60');
  });

  it('is a terminal for the command: in, out and errors', async () => {
    const terminal = await node('console.log([0, 1, 2].map((fd) => require("tty").isatty(fd)).join())');
    await terminal.exit();
    expect(terminal.text).toBe('true,true,true');
  });

  it('passes words, quotes and exit codes as they are', async () => {
    const terminal = await terminals.run([
      'sh',
      '-c',
      'printf "%s|" "$@"; exit 7',
      'sh',
      "it's",
      'a  b',
      '$HOME',
    ]);
    expect((await terminal.exit()).code).toBe(7);
    expect(terminal.text).toBe("it's|a  b|$HOME|");
  });

  it('sends keys when the command waits for them', async () => {
    const terminal = await node(
      'process.stdin.setRawMode(true); console.log("ready"); process.stdin.on("data", (key) => { console.log(JSON.stringify(String(key))); if (String(key) === "q") process.exit(3); })',
    );
    await terminal.until('ready');
    terminal.press('up');
    await terminal.until(String.raw`"\u001b[A"`);
    terminal.press('q');
    expect((await terminal.exit()).code).toBe(3);
  });

  it('shows what a person sees, not escape codes', async () => {
    const terminal = await sh(String.raw`printf 'wrong\r\033[2Kright \033[1;31mred\033[0m'; sleep 60`);
    await terminal.until('right red');
    expect(terminal.text).toBe('right red');
    expect(terminal.styleOf('red')).toEqual({
      color: 1,
      background: 'default',
      bold: true,
      dim: false,
      inverse: false,
    });
    expect(terminal.styleOf('right').color).toBe('default');
  });

  it('knows the alternate screen, the cursor and the modes that a command leaves behind', async () => {
    const terminal = await sh(
      String.raw`stty -echo; printf '\033[?1049h\033[?25lhello'; read x; printf '\033[?1049l'`,
    );
    await terminal.until('hello');
    expect([terminal.isAlternateScreen, terminal.isCursorVisible]).toEqual([true, false]);
    terminal.press('enter');
    const { modes } = await terminal.exit();
    expect([terminal.isAlternateScreen, terminal.isCursorVisible]).toEqual([false, false]);
    expect(modes).toContain(' -echo ');
    expect(modes).toContain(' icanon ');
  });

  it('tells the command that the window has another size', async () => {
    const terminal = await node(
      'setInterval(() => {}, 1e6); console.log("ready"); process.stdout.on("resize", () => { console.log(process.stdout.getWindowSize().join("x")); })',
    );
    await terminal.until('ready');
    // The kernel may tell the columns before the rows.
    terminal.resize(44, 12);
    await terminal.until('44x12');
    terminal.signal('SIGTERM');
    await terminal.exit();
  });

  it('sends a signal to the command, and Ctrl-C through the terminal', async () => {
    const script = 'setInterval(() => {}, 1e6); console.log("ready")';
    const [first, second] = [await node(script), await node(script)];
    await Promise.all([first.until('ready'), second.until('ready')]);
    first.signal('SIGTERM');
    second.press('ctrl-c');
    expect((await first.exit()).code).toBe(143);
    expect((await second.exit()).code).toBe(130);
  });

  it('fails with the screen when what it waits for cannot come', async () => {
    const terminal = await sh('echo something else');
    await expect(terminal.until('a table')).rejects.toThrow(
      /The command ended while waiting for a table.*something else/s,
    );
  });
});
