import { Module } from '@nestjs/common';
import { ChasquiBoardModule } from 'nestjs-chasqui/bull-board';
import { ShopQueuesModule } from '../shop-queues.module.js';
import { PasswordGuard } from './password.guard.js';

@Module({
  imports: [
    ShopQueuesModule.forRoot({ workers: false }),
    ChasquiBoardModule.forRoot({ path: 'board', guard: PasswordGuard }),
  ],
})
export class BoardModule {}
