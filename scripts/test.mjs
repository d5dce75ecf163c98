// npm test: runs every suite once, on servers that the tests start themselves. Arguments go to vitest:
//   npm test -- test/unit
//   npm test -- -t 'a name'
import { join } from 'node:path';
import { buildPackage, buildSamples, root } from './build.mjs';
import { runNode } from './run-child.mjs';

process.chdir(root);
// Some tests start processes that load the compiled package. Others run the compiled samples.
buildPackage();
buildSamples();

const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
process.exitCode = await runNode([vitest, 'run', ...process.argv.slice(2)]);
