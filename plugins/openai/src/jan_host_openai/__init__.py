"""Remote OpenAI and Azure OpenAI models for jan-host."""
