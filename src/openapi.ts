import { createRequire } from 'node:module';
import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { getMetadataStorage } from 'class-validator';
import { validationMetadatasToSchemas } from 'class-validator-jsonschema';
import { MAX_CENTS } from '#libs/common';

type SchemaOptions = NonNullable<Parameters<typeof validationMetadatasToSchemas>[0]>;
type Schemas = NonNullable<ReturnType<typeof SwaggerModule.createDocument>['components']>['schemas'];

/** Knows the classes of members that are lists; the package has no other way to it. */
const { defaultMetadataStorage } = createRequire(import.meta.url)('class-transformer/cjs/storage.js') as {
  defaultMetadataStorage: SchemaOptions['classTransformerMetadataStorage'];
};

/** Serves the contract at `/api/openapi.json` and a page to browse it at `/api/docs`. */
export function serveOpenApi(app: INestApplication): void {
  const builder = new DocumentBuilder()
    .setTitle('Fieldsmith')
    .setDescription('AI-generated fields for multi-tenant CRMs and low-code platforms.')
    .setVersion('1')
    .addBearerAuth()
    .addSecurityRequirements('bearer')
    .build();
  const document = SwaggerModule.createDocument(app, builder);
  const schemas = validationMetadatasToSchemas({
    classValidatorMetadataStorage: getMetadataStorage(),
    classTransformerMetadataStorage: defaultMetadataStorage,
    additionalConverters: {
      isInstant: { type: 'string', format: 'date-time' },
      isCents: { type: 'number', minimum: 0, maximum: MAX_CENTS },
    },
    refPointerPrefix: '#/components/schemas/',
  }) as Schemas;
  document.components = { ...document.components, schemas: { ...document.components?.schemas, ...schemas } };
  SwaggerModule.setup('api/docs', app, document, { jsonDocumentUrl: 'api/openapi.json' });
}
