import {
  Inject,
  Injectable,
  type CanActivate,
  type ExecutionContext,
  type OnModuleInit,
  type Type,
} from '@nestjs/common';
import { ContextIdFactory, ModuleRef } from '@nestjs/core';
import { isObservable, lastValueFrom } from 'rxjs';
import { BOARD_OPTIONS } from './module-definition.js';
import type { ChasquiBoardOptions } from './options.js';

type FindGuard = (context: ExecutionContext) => Promise<CanActivate>;

/** Asks the guard of the user's choice. */
@Injectable()
export class BoardAccess implements OnModuleInit {
  #find: FindGuard | undefined;

  constructor(
    @Inject(BOARD_OPTIONS) private readonly options: ChasquiBoardOptions,
    private readonly modules: ModuleRef,
  ) {}

  async onModuleInit(): Promise<void> {
    const { guard } = this.options;
    if (!guard) return;
    this.#find = typeof guard === 'function' ? await this.#finderOf(guard) : () => Promise.resolve(guard);
  }

  async allows(context: ExecutionContext): Promise<boolean> {
    if (!this.options.guard) return true;
    // Before the application is ready, nobody may use the board.
    const guard = await this.#find?.(context);
    const allowed = guard?.canActivate(context) ?? false;
    return isObservable(allowed) ? lastValueFrom(allowed) : allowed;
  }

  /** The instance that some module provides; else one that Nest creates here. */
  async #finderOf(guard: Type<CanActivate>): Promise<FindGuard> {
    const isStatic = this.#isStatic(guard);
    if (isStatic === false) {
      return (context) => {
        const id = ContextIdFactory.getByRequest(context.switchToHttp().getRequest<object>());
        return this.modules.resolve(guard, id, { strict: false });
      };
    }
    const instance = isStatic ? this.modules.get(guard, { strict: false }) : await this.modules.create(guard);
    return () => Promise.resolve(instance);
  }

  /** Whether all requests share an instance; undefined if no module provides the guard. */
  #isStatic(guard: Type<CanActivate>): boolean | undefined {
    try {
      this.modules.get(guard, { strict: false });
      return true;
    } catch {
      // It is unknown, or each request has its own.
    }
    try {
      this.modules.introspect(guard);
      return false;
    } catch {
      return undefined;
    }
  }
}

@Injectable()
export class BoardGuard implements CanActivate {
  constructor(private readonly access: BoardAccess) {}

  canActivate(context: ExecutionContext): Promise<boolean> {
    return this.access.allows(context);
  }
}
