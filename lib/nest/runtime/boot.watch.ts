import { Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import core from '@nestjs/core/package.json';
import type { InstanceWrapper, NestModule } from '../nest-types.js';

const BOOT_HOOKS = ['onModuleInit', 'onApplicationBootstrap'] as const;
const SHUTDOWN_HOOKS = ['onModuleDestroy', 'beforeApplicationShutdown', 'onApplicationShutdown'] as const;
type Hook = (typeof BOOT_HOOKS)[number] | (typeof SHUTDOWN_HOOKS)[number];
type Instance = Partial<Record<Hook, unknown>>;
type Around = (original: () => unknown) => Promise<unknown>;

/**
 * Reports two events for which Nest has no hook: a lifecycle hook of the application has thrown, and all boot hooks have
 * ended. It replaces the hooks of the instances during the boot. Each one is restored when it is called.
 */
@Injectable()
export class BootWatch {
  #restores: (() => void)[] = [];

  constructor(private readonly modules: ModulesContainer) {}

  /**
   * Calls back when a boot hook throws, before the caller that boots the application gets the error.
   *
   * @param but an instance whose hooks are not watched
   */
  onFailure(but: object, failed: () => Promise<void>): void {
    for (const instance of this.instances()) {
      if (instance === but) continue;
      for (const hook of BOOT_HOOKS) {
        if (typeof instance[hook] !== 'function') continue;
        this.replace(instance, hook, async (original) => {
          try {
            return await original();
          } catch (error) {
            this.end();
            await failed();
            throw error;
          }
        });
      }
    }
  }

  /**
   * Calls back when a shutdown hook throws, on Nest 11, which then calls no other hook. Nest 12 logs the error and calls
   * the other hooks.
   *
   * @param but an instance whose hooks are not watched
   */
  onShutdownFailure(but: object, failed: () => Promise<void>): void {
    if (Number.parseInt(core.version, 10) >= 12) return;
    for (const instance of this.instances()) {
      if (instance === but) continue;
      for (const hook of SHUTDOWN_HOOKS) {
        if (typeof instance[hook] !== 'function') continue;
        replaceHook(instance, hook, async (original) => {
          try {
            return await original();
          } catch (error) {
            await failed();
            throw error;
          }
        });
      }
    }
  }

  /**
   * Runs `step` when all boot hooks have ended. If it throws, the boot throws.
   *
   * @returns false if no hook can be replaced for it; the step then never runs
   */
  atTheEnd(step: () => Promise<void>): boolean {
    // Nest calls the hooks of modules in this order, and the hook of a module class after those of its providers.
    const last = [...this.modules.values()].sort((one, other) => other.distance - one.distance).at(-1);
    const host = last?.providers.get(last.metatype);
    if (!host || !isLive(host)) return false;
    return this.replace(host.instance as Instance, 'onApplicationBootstrap', async (original) => {
      await original();
      this.end();
      await step();
    });
  }

  /** The boot has ended, with or without an error. */
  private end(): void {
    for (const restore of this.#restores.splice(0)) restore();
  }

  private replace(instance: Instance, hook: Hook, around: Around): boolean {
    const restore = replaceHook(instance, hook, around);
    if (restore) this.#restores.push(restore);
    return restore !== undefined;
  }

  private *instances(): Iterable<Instance> {
    const seen = new Set<unknown>();
    for (const module of this.modules.values()) {
      for (const wrapper of wrappersOf(module)) {
        if (!isLive(wrapper) || seen.has(wrapper.instance)) continue;
        seen.add(wrapper.instance);
        yield wrapper.instance as Instance;
      }
    }
  }
}

function* wrappersOf(module: NestModule): Iterable<InstanceWrapper> {
  const { providers, controllers, injectables, middlewares } = module;
  for (const wrappers of [providers, controllers, injectables, middlewares]) yield* wrappers.values();
}

/** Whether Nest calls the hooks of the instance. */
function isLive(wrapper: InstanceWrapper): boolean {
  const instance: unknown = wrapper.instance;
  return (
    !wrapper.isAlias && instance !== null && typeof instance === 'object' && wrapper.isDependencyTreeStatic()
  );
}

/** Replaces a hook for one call. Returns a function that restores it, or undefined if the instance cannot be changed. */
function replaceHook(instance: Instance, hook: Hook, around: Around): (() => void) | undefined {
  const own = Object.getOwnPropertyDescriptor(instance, hook);
  const original = instance[hook] as ((...args: unknown[]) => unknown) | undefined;
  const restore = (): void => {
    // Keep the hook if other code has replaced it since.
    if (instance[hook] !== replacement) return;
    if (own) Object.defineProperty(instance, hook, own);
    else Reflect.deleteProperty(instance, hook);
  };
  const replacement = (...args: unknown[]): Promise<unknown> => {
    restore();
    return around(() => original?.apply(instance, args));
  };
  try {
    Object.defineProperty(instance, hook, { value: replacement, configurable: true, writable: true });
  } catch {
    return undefined;
  }
  return restore;
}
