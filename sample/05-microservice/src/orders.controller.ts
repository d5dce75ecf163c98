import { Controller, UseFilters } from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';
import { ChasquiContext, ChasquiExceptionFilter } from 'nestjs-chasqui/microservices';
import { ORDER_PLACED, PRICE, type Order, type Price, type PriceRequest } from './messages.js';

const CENTS = new Map([
  ['bread', 250],
  ['wine', 1200],
]);

@Controller()
@UseFilters(ChasquiExceptionFilter)
export class OrdersController {
  #isFirst = true;

  /** A request. The reply is the returned value, or the thrown RpcException. */
  @MessagePattern(PRICE)
  price(@Payload() { item }: PriceRequest, @Ctx() context: ChasquiContext): Price {
    const cents = CENTS.get(item);
    if (cents === undefined) throw new RpcException({ status: 404, message: `there is no ${item}` });
    console.log(`price of ${item}: asked by job ${context.getJob().id}`);
    return { item, cents };
  }

  /** An event: a durable job that is retried when it fails. */
  @EventPattern(ORDER_PLACED)
  pack(@Payload() { item, count }: Order): void {
    if (this.#isFirst) {
      this.#isFirst = false;
      throw new Error('the packer is having a break');
    }
    console.log(`packed ${String(count)} × ${item}`);
  }
}
