// Takes the pictures of `chasqui watch` for the docs: docs/images/watch-dark.png and watch-light.png. It needs a Redis
// server in PATH, `script` of util-linux, Chromium and pngquant (apt install chromium pngquant): the pictures are in the
// package, so they must be small. Build the package first.
//   npm run build && node scripts/screenshots.mjs
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RedisServer } from '../dist/testing/index.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const COLUMNS = 116;
const ROWS = 32;
/** How long the queues run before the picture: the history has to fill. */
const RUN_MS = Number(process.env.SCREENSHOT_MS ?? 75_000);
const CELL = { width: 8.43, height: 18 };

const THEMES = {
  dark: {
    page: '#0d1117',
    background: '#161b22',
    foreground: '#d0d7de',
    palette:
      '#484f58 #ff7b72 #3fb950 #d29922 #58a6ff #bc8cff #39c5cf #b1bac4 #6e7681 #ffa198 #56d364 #e3b341 #79c0ff #d2a8ff #56d4dd #ffffff',
  },
  light: {
    page: '#eaeef2',
    background: '#ffffff',
    foreground: '#24292f',
    palette:
      '#24292f #cf222e #116329 #9a6700 #0969da #8250df #1b7c83 #6e7781 #57606a #a40e26 #1a7f37 #633c01 #218bff #a475f9 #3192aa #8c959f',
  },
};
const COLORS =
  'black red green yellow blue magenta cyan white brightBlack brightRed brightGreen brightYellow brightBlue brightMagenta brightCyan brightWhite';

const output = await record();
for (const [name, theme] of Object.entries(THEMES)) takePicture(name, theme, output);

/** Everything that `watch` prints to a terminal of this size. */
async function record() {
  const server = await RedisServer.start();
  const url = `redis://127.0.0.1:${server.port}`;
  const demo = spawn(process.execPath, [join(root, 'scripts/screenshots/demo.mjs'), url], {
    stdio: 'inherit',
  });
  const quoted = [process.execPath, join(root, 'dist/cli/main.js'), 'watch', '--redis-url', url]
    .map((word) => `'${word}'`)
    .join(' ');
  const command = `stty cols ${COLUMNS} rows ${ROWS}; exec ${quoted}`;
  try {
    await new Promise((resolve) => setTimeout(resolve, RUN_MS / 3));
    const env = { ...process.env, TERM: 'xterm-256color', LANG: 'C.UTF-8' };
    const terminal = spawn('script', ['-qfec', command, '/dev/null'], {
      env,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const chunks = [];
    terminal.stdout.on('data', (chunk) => chunks.push(chunk));
    await new Promise((resolve) => setTimeout(resolve, RUN_MS / 3));
    terminal.stdin.write('\x1b[B'.repeat(4));
    await new Promise((resolve) => setTimeout(resolve, RUN_MS / 3));
    terminal.stdout.removeAllListeners('data');
    terminal.kill('SIGKILL');
    return Buffer.concat(chunks);
  } finally {
    demo.kill('SIGKILL');
    await server.stop();
  }
}

/** Shows the output in a real terminal emulator, in a browser. */
function takePicture(name, theme, recorded) {
  const xterm = join(root, 'node_modules/@xterm/xterm');
  const names = COLORS.split(' ');
  const colors = Object.fromEntries(theme.palette.split(' ').map((color, i) => [names[i], color]));
  const { background, foreground } = theme;
  const options = {
    cols: COLUMNS,
    rows: ROWS,
    fontFamily: 'DejaVu Sans Mono',
    fontSize: 14,
    lineHeight: 1.1,
    customGlyphs: true,
    minimumContrastRatio: 1,
    theme: { ...colors, background, foreground, cursor: background },
  };
  const html = `<!doctype html><meta charset="utf-8">
<style>${readFileSync(join(xterm, 'css/xterm.css'), 'utf8')}
body { margin: 0; padding: 24px; background: ${theme.page}; display: inline-block }
.window { background: ${background}; border-radius: 10px; padding: 12px 16px 14px; box-shadow: 0 8px 24px #0004 }
.bar { display: flex; gap: 8px; padding-bottom: 12px } .bar i { width: 12px; height: 12px; border-radius: 50% }
.xterm-viewport { overflow: hidden !important }</style>
<div class="window"><div class="bar"><i style="background:#ff5f57"></i><i style="background:#febc2e"></i><i style="background:#28c840"></i></div><div id="terminal"></div></div>
<script>${readFileSync(join(xterm, 'lib/xterm.js'), 'utf8')}</script>
<script>
const terminal = new Terminal(${JSON.stringify(options)});
terminal.open(document.getElementById('terminal'));
terminal.write(Uint8Array.from(atob('${recorded.toString('base64')}'), (c) => c.charCodeAt(0)));
</script>`;
  const folder = mkdtempSync(join(tmpdir(), 'chasqui-screenshot-'));
  try {
    const page = join(folder, 'page.html');
    writeFileSync(page, html);
    const size = `${Math.ceil(COLUMNS * CELL.width) + 82},${Math.ceil(ROWS * CELL.height) + 100}`;
    const picture = join(root, 'docs/images', `watch-${name}.png`);
    execFileSync(
      'chromium',
      [
        '--headless=new',
        '--no-sandbox',
        '--disable-gpu',
        '--hide-scrollbars',
        '--force-device-scale-factor=2',
        '--virtual-time-budget=4000',
        `--user-data-dir=${join(folder, 'profile')}`,
        `--window-size=${size}`,
        `--screenshot=${picture}`,
        `file://${page}`,
      ],
      { stdio: 'ignore' },
    );
    execFileSync('pngquant', [
      '--force',
      '--speed=1',
      '--quality=60-90',
      '--nofs',
      '--output',
      picture,
      '32',
      picture,
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
