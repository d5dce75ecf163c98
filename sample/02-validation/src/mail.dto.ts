import { IsEmail, IsNotEmpty, IsString } from 'class-validator';

/** The payload of the jobs of the queue "mail". */
export class MailDto {
  @IsEmail()
  to!: string;

  @IsString()
  @IsNotEmpty()
  subject!: string;

  @IsString()
  tenant!: string;
}
