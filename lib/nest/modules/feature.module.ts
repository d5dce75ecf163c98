import { Module } from '@nestjs/common';
import { OwnModule } from '../importers.js';

/** What one call of `forFeature` returns: the queues that it names, to import together. */
@OwnModule()
@Module({})
export class ChasquiFeatureModule {}
