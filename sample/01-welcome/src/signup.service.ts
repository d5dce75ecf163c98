import { Injectable } from '@nestjs/common';
import { InjectQueue, type Job, type Queue } from 'nestjs-chasqui';
import type { WelcomeMail } from './welcome.processor.js';

/** Stands for the sign-up of a real app: it adds a job and does not wait for it. */
@Injectable()
export class SignupService {
  constructor(@InjectQueue('welcome') private readonly welcome: Queue<WelcomeMail>) {}

  signUp(email: string): Promise<Job<WelcomeMail>> {
    return this.welcome.add('send', { to: email });
  }
}
