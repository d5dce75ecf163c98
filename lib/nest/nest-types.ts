import type { DiscoveryService, ModulesContainer } from '@nestjs/core';

/** Nest does not export these two types by name. Its public services return them. */
export type InstanceWrapper = ReturnType<DiscoveryService['getProviders']>[number];
export type NestModule = ModulesContainer extends Map<string, infer Module> ? Module : never;
