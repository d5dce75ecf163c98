import type { Cluster, ClusterNode, ClusterOptions, Redis, RedisOptions } from 'ioredis';

/**
 * How to reach Redis: a URL, options, or an ioredis client of your own. Options that ioredis has are passed on to it. A
 * client of your own (`Redis` or `Cluster`) is used for commands as it is, and this package never closes it.
 *
 * One options object means one shared command connection: pass the same object to every queue and worker of an app.
 */
export type Connection = string | ConnectionOptions | Redis | Cluster;

export interface ConnectionOptions extends RedisOptions {
  /**
   * `redis://[user:password@]host:port[/db]`, or `rediss://` for TLS. Other fields override its parts. Default: none;
   * `host` and `port` say where Redis is.
   */
  url?: string;
  /**
   * Seed nodes of a Redis Cluster. The other fields become the options of each node's connection. Default: not a
   * cluster.
   */
  cluster?: ClusterNode[];
  /**
   * Options of the cluster client itself. Only with `cluster`. Default: those of ioredis, with nodes that reconnect.
   */
  clusterOptions?: ClusterOptions;
}
