import { Body, Controller, Get, HttpCode, Inject, Param, Post, UseFilters } from '@nestjs/common';
import { firstValueFrom, map, type Observable } from 'rxjs';
import { ChasquiClient, ChasquiRecordBuilder } from 'nestjs-chasqui/microservices';
import { ORDER_PLACED, PRICE, type Order, type Price, type PriceRequest } from './messages.js';
import { RpcErrorFilter } from './rpc-error.filter.js';

@Controller()
@UseFilters(RpcErrorFilter)
export class ShopController {
  constructor(@Inject('ORDERS') private readonly orders: ChasquiClient) {}

  /** Sends a request to the service, and waits for its reply. */
  @Get('price/:item')
  price(@Param('item') item: string): Observable<string> {
    return this.orders
      .send<Price, PriceRequest>(PRICE, { item })
      .pipe(map(({ cents }) => `${(cents / 100).toFixed(2)} €`));
  }

  /** Sends an event, even if the service does not run, and does not wait for its handlers. */
  @Post('orders')
  @HttpCode(202)
  async place(@Body() order: Order): Promise<{ accepted: string }> {
    const record = new ChasquiRecordBuilder(order).setOptions({ attempts: 5 }).build();
    // Redis has stored the job when this resolves.
    const job = await firstValueFrom(this.orders.emit(ORDER_PLACED, record));
    return { accepted: job.id };
  }
}
