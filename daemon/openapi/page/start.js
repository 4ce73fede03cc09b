SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#ui',
  deepLinking: true,
  validatorUrl: null, // it would be asked over the internet
  defaultModelsExpandDepth: 0,
});
