import { IsIn, IsInt, IsNotEmpty, IsString, Max, Min } from 'class-validator';

/** What a customer sends, and the data of the job `place`. */
export class Order {
  @IsString()
  @IsNotEmpty()
  customer!: string;

  @IsIn(['bread', 'wine', 'olives'])
  item!: 'bread' | 'wine' | 'olives';

  @IsInt()
  @Min(1)
  @Max(1_000)
  count!: number;
}

/** The data of the job `charge`. */
export interface Payment {
  readonly orderId: string;
  readonly customer: string;
  readonly cents: number;
}

export const PRICES: Readonly<Record<Order['item'], number>> = { bread: 250, wine: 900, olives: 420 };
