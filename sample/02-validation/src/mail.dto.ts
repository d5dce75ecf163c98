import { IsEmail, IsNotEmpty, IsString } from 'class-validator';

/** What a job of the queue "mail" carries. */
export class MailDto {
  @IsEmail()
  to!: string;

  @IsString()
  @IsNotEmpty()
  subject!: string;

  @IsString()
  tenant!: string;
}
