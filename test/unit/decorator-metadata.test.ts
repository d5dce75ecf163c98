import 'reflect-metadata';
import { Inject, Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from 'vitest';

@Injectable()
class Greeter {
  greet(name: string): string {
    return `hello ${name}`;
  }
}

@Injectable()
class Host {
  constructor(
    readonly greeter: Greeter,
    // From another module, whose import must outlive the removal of types.
    readonly moduleRef: ModuleRef,
    @Inject('NAME') private readonly name: string,
  ) {}

  welcome(): string {
    return this.greeter.greet(this.name);
  }
}

describe('the compiler of the tests', () => {
  it('emits the metadata by which Nest injects', async () => {
    const testing = await Test.createTestingModule({
      providers: [Greeter, Host, { provide: 'NAME', useValue: 'Ada' }],
    }).compile();
    expect(testing.get(Host).welcome()).toBe('hello Ada');
    expect(testing.get(Host).moduleRef).toBeInstanceOf(ModuleRef);
    expect(Reflect.getMetadata('design:paramtypes', Host)).toEqual([Greeter, ModuleRef, String]);
    await testing.close();
  });
});
