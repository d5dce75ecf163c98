import { createRequire } from 'node:module';
import { arch, cpus, platform, totalmem } from 'node:os';

const require = createRequire(import.meta.url);

/** What a reader needs to judge the figures; nothing that names the machine. */
export function describeMachine() {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${platform()} ${arch()}`,
  };
}

export function versions() {
  return {
    node: process.versions.node,
    bullmq: require('bullmq/package.json').version,
    ioredis: require('ioredis/package.json').version,
    'nestjs-chasqui': require('../../package.json').version,
  };
}
