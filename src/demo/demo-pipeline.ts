import type { NewPipelineDto } from '../crm/dto/pipeline.dto.js';

const DESKS = [
  'Communication',
  'Consumer',
  'Energy',
  'Financials',
  'Health Care',
  'Industrials',
  'Information Technology',
  'Materials',
  'Real Estate',
  'Utilities',
];

/** Companies with three AI fields: a summary, a classification, and one that is made from the summary. */
export const DEMO_PIPELINE = {
  name: 'Companies',
  slug: 'companies',
  fields: [
    { name: 'Symbol', slug: 'symbol', field_type: 'text', required: true },
    { name: 'Security', slug: 'security', field_type: 'text', required: true },
    { name: 'GICS Sector', slug: 'gics_sector', field_type: 'text' },
    { name: 'GICS Sub-Industry', slug: 'gics_sub_industry', field_type: 'text' },
    { name: 'Headquarters Location', slug: 'headquarters_location', field_type: 'text' },
    { name: 'Date added', slug: 'date_added', field_type: 'date' },
    { name: 'CIK', slug: 'cik', field_type: 'text' },
    { name: 'Founded', slug: 'founded', field_type: 'text' },
    {
      name: 'Summary',
      slug: 'summary',
      field_type: 'ai_generated',
      ai_config: {
        prompt: 'Summarise {security} in two sentences for a sales team. Use only these facts:\n{*}',
        excluded_fields: ['cik', 'symbol'],
        max_tokens: 300,
      },
    },
    {
      name: 'Sales desk',
      slug: 'sales_desk',
      field_type: 'ai_generated',
      ai_config: {
        prompt: `Which sales desk looks after {security}? Sector: {gics_sector}, industry: {gics_sub_industry}.`,
        output_type: 'select',
        options: { choices: DESKS },
        temperature: 0,
        max_tokens: 50,
      },
    },
    {
      name: 'Opening line',
      slug: 'opening_line',
      field_type: 'ai_generated',
      ai_config: {
        prompt: 'Write one short sentence to open a sales call with.\nName: {security}\nSummary: {summary}',
        max_tokens: 200,
      },
    },
  ],
} satisfies NewPipelineDto as NewPipelineDto;
