/**
 * Repeats until the time is over, so that what is measured afterwards is compiled code. By time and not by count: a
 * side that is faster would otherwise stop before the compiler has seen enough.
 *
 * @param {number} ms
 * @param {() => Promise<unknown>} turn
 */
export async function untilWarm(ms, turn) {
  const until = performance.now() + ms;
  do await turn();
  while (performance.now() < until);
}
