import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll } from 'vitest';

const PROGRAMS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const apt = (...words: string[]): void => {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  execFileSync('apt-get', words, { env, stdio: 'pipe', timeout: 300_000 });
};

/** The browser of this machine. On a bare Debian, as root, it is installed first. `CHROMIUM` names another one. */
function chromiumProgram(): string {
  const find = (): string | undefined =>
    [process.env['CHROMIUM'] ?? '', ...PROGRAMS].find((path) => existsSync(path));
  const known = find();
  if (known !== undefined) return known;
  const install = ['-o', 'DPkg::Lock::Timeout=120', 'install', '-y', '--no-install-recommends', 'chromium'];
  console.log(`$ apt-get ${install.join(' ')}`);
  try {
    apt(...install);
  } catch {
    apt('update');
    apt(...install);
  }
  const installed = find();
  if (installed === undefined)
    throw new Error('apt-get has installed chromium, and there is no /usr/bin/chromium.');
  return installed;
}

export interface PageOptions {
  /** Default 1280 × 800. */
  readonly size?: { readonly width: number; readonly height: number };
  readonly dark?: boolean;
}

export interface TestBrowser {
  /** A new page, without what pages have stored before. The test may leave it open. */
  open(url: string, options?: PageOptions): Promise<Page>;
  /** What went wrong in pages since the last call: errors of scripts, refused by the policy, or asked of other hosts. */
  troubles(): string[];
}

/** A real browser without a window, started before the first test and stopped after the last. */
export function useBrowser(): TestBrowser {
  const folder = mkdtempSync(join(tmpdir(), 'chromium-'));
  let context: BrowserContext | undefined;
  let troubles: string[] = [];
  const pages: Page[] = [];

  beforeAll(async () => {
    const executablePath = chromiumProgram();
    context = await chromium.launchPersistentContext(folder, { executablePath, args: FLAGS, headless: true });
  }, 400_000);

  // Hooks run last in, first out: pages that are left open close before their server does, which they would complain of.
  afterEach(async () => {
    await Promise.all(pages.splice(0).map((page) => page.close()));
    troubles = [];
  });

  afterAll(async () => {
    await context?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  return {
    async open(url, { size = { width: 1280, height: 800 }, dark = false } = {}) {
      const page = await context!.newPage();
      const devtools = await context!.newCDPSession(page);
      const { origin } = new URL(url);
      await devtools.send('Storage.clearDataForOrigin', { origin, storageTypes: 'local_storage' });
      pages.push(page);
      page.on('pageerror', (error) => troubles.push(String(error)));
      page.on('console', (message) => {
        if (/Content Security Policy/i.test(message.text())) troubles.push(message.text());
      });
      page.on('request', (request) => {
        const asked = new URL(request.url());
        if (asked.protocol.startsWith('http') && asked.origin !== origin)
          troubles.push(`asked ${request.url()}`);
      });
      await page.setViewportSize(size);
      await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
      await page.goto(url);
      return page;
    },
    troubles() {
      const all = troubles;
      troubles = [];
      return all;
    },
  };
}
