import { Injectable } from '@nestjs/common';
import { InjectQueue, type Job, type Queue } from 'nestjs-chasqui';
import type { WelcomeMail } from './welcome.processor.js';

/** Where a real app has its sign-up: it adds a job and goes on. */
@Injectable()
export class SignupService {
  constructor(@InjectQueue('welcome') private readonly welcome: Queue<WelcomeMail>) {}

  signUp(email: string): Promise<Job<WelcomeMail>> {
    return this.welcome.add('send', { to: email });
  }
}
