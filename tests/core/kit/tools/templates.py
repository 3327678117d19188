"""Chat templates in short: what is characteristic of each family's, written from its documentation."""

BAR = "\N{FULLWIDTH VERTICAL LINE}"

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

QWEN25 = """\
{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0]['role'] == 'system' %}{{- messages[0]['content'] + '\\n\\n' }}{%- endif %}
    {{- "# Tools\\n\\n<tools>" }}
    {%- for tool in tools %}{{- "\\n" }}{{- tool | tojson }}{%- endfor %}
    {{- "\\n</tools>\\n\\nWithin <tool_call></tool_call> XML tags.<|im_end|>\\n" }}
{%- elif messages[0]['role'] == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == "user" or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
        {%- if message.content %}{{- '\\n' + message.content }}{%- endif %}
        {%- for tool_call in message.tool_calls %}
            {%- if tool_call.function is defined %}{%- set tool_call = tool_call.function %}{%- endif %}
            {{- '\\n<tool_call>\\n{"name": "' }}{{- tool_call.name }}{{- '", "arguments": ' }}
            {{- tool_call.arguments | tojson }}{{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or messages[loop.index0 - 1].role != "tool" %}{{- '<|im_start|>user' }}{%- endif %}
        {{- '\\n<tool_response>\\n' }}{{- message.content }}{{- '\\n</tool_response>' }}
        {%- if loop.last or messages[loop.index0 + 1].role != "tool" %}{{- '<|im_end|>\\n' }}{%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}
"""

QWEN3 = (
    QWEN25
    + """\
{%- if add_generation_prompt and enable_thinking is defined and enable_thinking is false %}
    {{- '<think>\\n\\n</think>\\n\\n' }}
{%- endif %}
"""
)

LLAMA31 = """\
{{- bos_token }}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content'] %}{%- set messages = messages[1:] %}
{%- else %}{%- set system_message = "" %}{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" + system_message + "<|eot_id|>" }}
{%- if tools is not none %}
    {{- '<|start_header_id|>user<|end_header_id|>\\n\\n' }}
    {{- 'Respond as {"name": function name, "parameters": dictionary}.\\n' }}
    {%- for t in tools %}{{- t | tojson(indent=4) }}{{- "\\n\\n" }}{%- endfor %}
    {{- messages[0]['content'] + "<|eot_id|>" }}{%- set messages = messages[1:] %}
{%- endif %}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
        {{- message['content'] + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls | length == 1 %}
            {{- raise_exception("This model only supports single tool-calls at once!") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
        {{- '{"name": "' + tool_call.name + '", "parameters": ' }}
        {{- tool_call.arguments | tojson }}{{- "}" }}
        {{- "<|eot_id|>" }}
    {%- else %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}{{- message.content | tojson }}
        {%- else %}{{- message.content }}{%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}
{#- Built-in tools answer behind <|python_tag|>. #}
"""

MISTRAL = """\
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content'] %}{%- set loop_messages = messages[1:] %}
{%- else %}{%- set loop_messages = messages %}{%- endif %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message['role'] == 'user' %}
        {%- if tools is not none and loop.first %}
            {{- '[AVAILABLE_TOOLS] ' }}{{- tools | tojson }}{{- '[/AVAILABLE_TOOLS]' }}
        {%- endif %}
        {{- '[INST] ' + message['content'] + '[/INST]' }}
    {%- elif message.tool_calls is defined and message.tool_calls is not none %}
        {{- '[TOOL_CALLS] [' }}
        {%- for tool_call in message.tool_calls %}
            {%- set out = tool_call.function | tojson %}{{- out[:-1] }}
            {%- if tool_call.id | length != 9 %}
                {{- raise_exception('Tool call IDs should be alphanumeric strings with length 9!') }}
            {%- endif %}
            {{- ', "id": "' + tool_call.id + '"}' }}{%- if not loop.last %}{{- ', ' }}{%- endif %}
        {%- endfor %}
        {{- ']' + eos_token }}
    {%- elif message['role'] == 'assistant' %}{{- ' ' + message['content'] + eos_token }}
    {%- elif message['role'] == 'tool' %}
        {%- if message.tool_call_id is not defined or message.tool_call_id | length != 9 %}
            {{- raise_exception('Tool call IDs should be alphanumeric strings with length 9!') }}
        {%- endif %}
        {{- '[TOOL_RESULTS] {"content": ' + message.content | string + ', "call_id": "' }}
        {{- message.tool_call_id + '"}[/TOOL_RESULTS]' }}
    {%- endif %}
{%- endfor %}
"""

FUNCTIONARY32 = """\
{%- for message in messages %}
    {%- if message['role'] == 'user' or message['role'] == 'system' %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
        {{- message['content'] + '<|eot_id|>' }}
    {%- elif message['role'] == 'tool' %}
        {{- '<|start_header_id|>tool<|end_header_id|>\\n\\n' + message['content'] + '<|eot_id|>' }}
    {%- else %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
        {%- if message['content'] %}{{- '>>>all\\n' + message['content'] }}{%- endif %}
        {%- for tool_call in message['tool_calls'] or [] %}
            {{- '>>>' + tool_call['function']['name'] + '\\n' + tool_call['function']['arguments'] }}
        {%- endfor %}
        {{- '<|eot_id|>' }}
    {%- endif %}
    {%- if loop.first and tools %}{{- 'namespace functions: ' + tools | tojson }}{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n>>>' }}{%- endif %}
"""

FUNCTIONARY31 = """\
<|start_header_id|>system<|end_header_id|>
{% for tool in tools or [] %}Use the function '{{ tool.function.name }}': {{ tool.function | tojson }}
{% endfor %}<function=example_function_name>{...}</function><|eot_id|>
{%- for message in messages %}
    {{- '<|start_header_id|>' + message.role + '<|end_header_id|>\\n\\n' }}
    {%- if message.content %}{{- message.content }}{%- endif %}
    {%- for call in message.tool_calls or [] %}
        {{- '<function=' + call.function.name + '>' + call.function.arguments + '</function>' }}
    {%- endfor %}
    {{- '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}
"""

GEMMA3 = """\
{{ bos_token }}
{%- if messages[0]['role'] == 'system' -%}
    {%- set first_user_prefix = messages[0]['content'] + '\\n\\n' -%}{%- set loop_messages = messages[1:] -%}
{%- else -%}{%- set first_user_prefix = "" -%}{%- set loop_messages = messages -%}{%- endif -%}
{%- for message in loop_messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}
    {%- endif -%}
    {%- set role = "model" if message['role'] == 'assistant' else message['role'] -%}
    {{ '<start_of_turn>' + role + '\\n' + (first_user_prefix if loop.first else "") }}
    {{- message['content'] | trim }}{{ '<end_of_turn>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<start_of_turn>model\\n' }}{%- endif -%}
"""

FUNCTION_GEMMA = """\
{{ bos_token }}
{%- for tool in tools or [] -%}
    {{ '<start_function_declaration>declaration:' + tool.function.name + '<end_function_declaration>' }}
{%- endfor -%}
{%- for message in messages -%}
    {{ '<start_of_turn>' + message.role + '\\n' }}
    {%- if message.role == 'tool' -%}
        {{ '<start_function_response>response:' + message.name }}
        {{- '{value:<escape>' + message.content + '<escape>}' }}
    {%- else -%}{{ message.content }}{%- endif -%}
    {%- for call in message.tool_calls or [] -%}
        {{ '<start_function_call>call:' + call.function.name + '{' }}
        {%- for key, value in call.function.arguments.items() -%}
            {{ key + ':<escape>' + value + '<escape>' }}
        {%- endfor -%}
        {{ '}<end_function_call>' }}
    {%- endfor -%}
    {{ '<end_of_turn>\\n' }}
{%- endfor -%}
"""

GPT_OSS = """\
{{- "<|start|>system<|message|>Reasoning: " + (reasoning_effort or "medium") }}
{{- "\\n\\n# Valid channels: analysis, commentary, final.<|end|>" }}
{%- if tools %}
    {{- "<|start|>developer<|message|># Tools\\n\\nnamespace functions {" }}
    {%- for tool in tools %}{{- "\\ntype " + tool.function.name + " = (_: any) => any;" }}{%- endfor %}
    {{- "\\n}<|end|>" }}
{%- endif %}
{%- set last_tool_call = namespace(name=none) %}
{%- for message in messages %}
    {%- if message.role == 'assistant' and "tool_calls" in message %}
        {%- if message.content and message.thinking %}
            {{- raise_exception("Cannot pass both content and thinking in a message with tool calls!") }}
        {%- elif message.thinking %}
            {{- "<|start|>assistant<|channel|>analysis<|message|>" + message.thinking + "<|end|>" }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- "<|start|>assistant to=functions." + tool_call.name + "<|channel|>commentary json<|message|>" }}
        {{- tool_call.arguments | tojson + "<|call|>" }}
        {%- set last_tool_call.name = tool_call.name %}
    {%- elif message.role == 'tool' %}
        {%- if last_tool_call.name is none %}
            {{- raise_exception("Message has tool role, but there was no previous assistant message!") }}
        {%- endif %}
        {{- "<|start|>functions." + last_tool_call.name + " to=assistant<|channel|>commentary<|message|>" }}
        {{- message.content | tojson + "<|end|>" }}
    {%- elif message.role == 'assistant' %}
        {{- "<|start|>assistant<|channel|>final<|message|>" + message.content + "<|end|>" }}
    {%- else %}{{- "<|start|>user<|message|>" + message.content + "<|end|>" }}{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- "<|start|>assistant" }}{%- endif %}
"""

DEEPSEEK_R1 = f"""\
{{%- set ns = namespace(is_first=false) -%}}
{{{{ bos_token }}}}
{{%- for message in messages -%}}
    {{%- if message['role'] == 'system' -%}}{{{{ message['content'] }}}}{{%- endif -%}}
    {{%- if message['role'] == 'user' -%}}{{{{ '<{BAR}User{BAR}>' + message['content'] }}}}{{%- endif -%}}
    {{%- if message['role'] == 'assistant' and message['content'] is none -%}}
        {{%- for tool in message['tool_calls'] -%}}
            {{%- if loop.first -%}}
                {{{{ '<{BAR}Assistant{BAR}><{BAR}tool▁calls▁begin{BAR}>' }}}}
            {{%- endif -%}}
            {{{{ '<{BAR}tool▁call▁begin{BAR}>' + tool['type'] + '<{BAR}tool▁sep{BAR}>' }}}}
            {{{{- tool['function']['name'] }}}}
            {{{{- '\\n```json\\n' + tool['function']['arguments'] + '\\n```<{BAR}tool▁call▁end{BAR}>' }}}}
        {{%- endfor -%}}
        {{{{ '<{BAR}tool▁calls▁end{BAR}><{BAR}end▁of▁sentence{BAR}>' }}}}
    {{%- elif message['role'] == 'assistant' -%}}
        {{%- set content = message['content'].split('</think>')[-1] -%}}
        {{{{ '<{BAR}Assistant{BAR}>' + content + '<{BAR}end▁of▁sentence{BAR}>' }}}}
    {{%- endif -%}}
    {{%- if message['role'] == 'tool' -%}}
        {{{{ '<{BAR}tool▁output▁begin{BAR}>' + message['content'] + '<{BAR}tool▁output▁end{BAR}>' }}}}
    {{%- endif -%}}
{{%- endfor -%}}
{{%- if add_generation_prompt -%}}{{{{ '<{BAR}Assistant{BAR}><think>\\n' }}}}{{%- endif -%}}
"""

MAGISTRAL = MISTRAL + "{#- [THINK] and [/THINK] stand around reasoning. #}"
