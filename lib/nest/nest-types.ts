import type { DiscoveryService, ModulesContainer } from '@nestjs/core';

/** Nest exports neither of these two by name; both are part of what its public services return. */
export type InstanceWrapper = ReturnType<DiscoveryService['getProviders']>[number];
export type NestModule = ModulesContainer extends Map<string, infer Module> ? Module : never;
