import { readFile, writeFile } from 'node:fs/promises';

/**
 * Puts text between the markers `<!-- name:start -->` and `<!-- name:end -->` of a file, where it has them.
 *
 * @param {string} file
 * @param {string} name
 * @param {string} text
 */
export async function insert(file, name, text) {
  const start = `<!-- ${name}:start -->`;
  const end = `<!-- ${name}:end -->`;
  const whole = await readFile(file, 'utf8').catch(() => '');
  const [before, rest] = whole.split(start);
  const after = rest?.split(end)[1];
  if (after !== undefined) await writeFile(file, `${before}${start}\n\n${text}\n${end}${after}`);
}
